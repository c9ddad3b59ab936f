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

const epoch = async (page) => Number(/epoch (\d+) of/.exec(await page.textContent("#live"))?.[1]);

const tests = {
  async "the page grows, and its reader stays where they are"() {
    const { page, complaints } = await open({ size: DESKTOP });
    const first = await epoch(page);
    await page.locator("#run summary").click();
    await page.locator("label[for=by-error]").click();
    await page.locator("label[for=plane-1]").click();
    await page.locator("#film-slider").focus();
    await page.keyboard.press("Home");
    await page.evaluate(() => window.scrollTo(0, 900));
    await page.screenshot({ path: join(shots, "watch.png") });
    for (let n = 0; n < 2; n += 1) {
      const before = await epoch(page);
      await page.waitForFunction((before) => Number(/epoch (\d+) of/.exec(document.getElementById("live")?.textContent)?.[1]) > before,
        before, { timeout: 30000 });
    }
    assert.ok((await epoch(page)) > first);
    assert.ok(await page.isChecked("#by-error"));
    assert.ok(await page.isChecked("#plane-1"));
    assert.equal(await page.textContent("#film-epoch"), "0");
    assert.ok(await page.locator("#run details").evaluate((details) => details.open));
    assert.equal(await page.evaluate(() => Math.round(window.scrollY)), 900);
    assert.equal(await page.evaluate(() => document.activeElement.tagName), "INPUT");
    assert.deepEqual(complaints, []);
    return page;
  },

  async "a movie that plays is not torn away"() {
    const { page, complaints } = await open();
    const first = await epoch(page);
    await page.click("#film-play");
    await page.waitForFunction(() => document.getElementById("film-play").textContent === "Pause");
    await sleep(4000);
    if ((await page.textContent("#film-play")) === "Pause") assert.equal(await epoch(page), first);
    await page.locator("#film-slider").focus();
    await page.keyboard.press("End");
    await page.waitForFunction((first) => Number(/epoch (\d+) of/.exec(document.getElementById("live")?.textContent)?.[1]) > first,
      first, { timeout: 30000 });
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
