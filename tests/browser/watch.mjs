// A run that is watched while it goes on: node watch.mjs DISENTANGLE EMPTY-FOLDER FOLDER-FOR-SCREENSHOTS
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { DESKTOP, folder, launch, runAll } from "./shared.mjs";

const [program, run, shots] = process.argv.slice(2).map((path) => resolve(path));
folder(shots);

const training = spawn(program, ["inversion", "--quiet", "--replicas", "4", "--epochs", "100000", "--checkpoint-every", "1",
  "--out", run], { stdio: "ignore" });
while (!existsSync(join(run, "checkpoint.safetensors"))) await sleep(50);
const watching = spawn(program, ["watch", run], { stdio: ["ignore", "pipe", "inherit"] });
const address = await new Promise((told) => watching.stdout.once("data", (line) => told(String(line).trim())));
const { open, close } = await launch(address, (url) => url.startsWith(address));

/** The epoch that a page shows which has come to rest; 0 for one that is on its way. */
const shown = () => document.readyState === "complete"
  ? Number(/epoch (\d+) of/.exec(document.getElementById("live")?.textContent)?.[1]) : 0;
// A page that is just being left has no answer.
const epoch = (page) => page.evaluate(shown).catch(() => 0);
// What must have one is asked again of the next page.
const answer = async (page, question) => {
  for (const end = Date.now() + 60000; ; await sleep(50)) {
    try {
      return await page.evaluate(question);
    } catch (error) {
      if (!/context was destroyed/.test(error.message) || Date.now() > end) throw error;
    }
  }
};
// What a reader does while one page goes and the next comes may be lost: done until a page that is all there shows it.
const until = async (page, seen, act) => {
  for (const end = Date.now() + 60000; !(await answer(page, `document.readyState === "complete" && ${seen}`)); await sleep(50)) {
    assert.ok(Date.now() < end, `never came: ${seen}`);
    await act();
  }
};
const click = (page, selector, seen) => until(page, seen, () => page.locator(selector).click());
const settled = async (page, than = -1) => {
  for (const end = Date.now() + 60000; Date.now() < end; await sleep(50)) {
    const now = await epoch(page);
    if (now > Math.max(than, 0)) return now;
  }
  return assert.fail(`no epoch after ${than} came`);
};

const tests = {
  async "the page grows, and its reader stays where they are"() {
    const { page, complaints } = await open({ size: DESKTOP });
    const first = await settled(page);
    await click(page, "#run summary", `document.querySelector("#run details").open`);
    await click(page, "label[for=by-error]", `document.getElementById("by-error").checked`);
    await click(page, "label[for=plane-1]", `document.getElementById("plane-1").checked`);
    await until(page, `document.activeElement.id === "film-slider" && document.getElementById("film-epoch").textContent === "0"`, async () => {
      await answer(page, () => document.getElementById("film-slider")?.focus());
      await page.keyboard.press("Home");
    });
    await until(page, "Math.round(window.scrollY) === 900", () => answer(page, () => window.scrollTo(0, 900)));
    await page.screenshot({ path: join(shots, "watch.png") });
    await settled(page, await settled(page, first));
    // All at once: the next page may come between two questions.
    const place = await answer(page, () => ({
      axis: document.getElementById("by-error").checked,
      plane: document.getElementById("plane-1").checked,
      epoch: document.getElementById("film-epoch").textContent,
      open: document.querySelector("#run details").open,
      scroll: Math.round(window.scrollY),
      focus: document.activeElement.id,
    }));
    assert.deepEqual(place, { axis: true, plane: true, epoch: "0", open: true, scroll: 900, focus: "film-slider" });
    assert.deepEqual(complaints, []);
    return page;
  },

  async "a movie that plays is not torn away"() {
    const { page, complaints } = await open();
    await settled(page);
    await page.click("#film-play");
    await page.waitForFunction(() => document.getElementById("film-play").textContent === "Pause");
    // Of the page that plays: before the click another may have come.
    const first = await answer(page, shown);
    await sleep(4000);
    // Both at once: the movie may end between two questions, and the next page come.
    const now = await page.evaluate(() => ({
      plays: document.getElementById("film-play")?.textContent === "Pause",
      epoch: Number(/epoch (\d+) of/.exec(document.getElementById("live")?.textContent)?.[1]),
    })).catch(() => ({ plays: false }));
    if (now.plays) assert.equal(now.epoch, first);
    await page.locator("#film-slider").focus();
    await page.keyboard.press("End");
    await settled(page, first);
    assert.deepEqual(complaints, []);
    return page;
  },

  async "it says when nobody answers any more, and ends with 0"() {
    const { page } = await open();
    watching.kill("SIGINT");
    await page.waitForFunction(() => document.getElementById("live").textContent.includes("does not answer"));
    assert.equal(watching.exitCode ?? (await new Promise((ended) => watching.once("exit", ended))), 0);
    assert.ok(!existsSync(join(run, "report.html")), "it only reads");
    assert.equal(readFileSync(join(run, "run.json"), "utf8").includes("training_seconds"), false);
    return page;
  },
};

const failed = await runAll(tests);
training.kill("SIGKILL");
watching.kill("SIGKILL");
await close();
console.log(`${Object.keys(tests).length - failed} of ${Object.keys(tests).length} passed`);
process.exit(failed ? 1 : 0);
