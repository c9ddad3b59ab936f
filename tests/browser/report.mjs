// The report in Chromium, opened from disk: node report.mjs REPORT.HTML FOLDER-FOR-SCREENSHOTS
import assert from "node:assert/strict";
import { statSync } from "node:fs";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { PHONE, across, folder, launch, runAll } from "./shared.mjs";

const [page_, shots] = process.argv.slice(2).map((path) => resolve(path));
folder(shots);
const { open, close } = await launch(pathToFileURL(page_).href);

const pixels = (page) => page.evaluate(() => document.getElementById("film-stage").toDataURL());
const epoch = async (page) => Number(await page.textContent("#film-epoch"));
const shows = (page) => page.locator("#film-point .pic").count();

/** Clicks over the drawing until a point is hit; the place of the hit. */
const hit = async (page) => {
  const { width, height } = await page.locator("#film-stage").boundingBox();
  for (let y = 20; y < height; y += 24) {
    for (let x = 20; x < width; x += 24) {
      await page.locator("#film-stage").click({ position: { x, y } });
      if (await shows(page)) return { x, y };
    }
  }
  assert.fail("no click hit a point");
};

const tests = {
  async "loads from disk without a complaint, and what runs is only its own script"() {
    const { page, complaints } = await open();
    assert.ok(await page.isVisible("#film"));
    assert.ok((await page.locator("#stragglers .pic").count()) > 0);
    await page.evaluate(() => {
      const foreign = document.createElement("script");
      foreign.textContent = "window.foreign = true";
      document.body.append(foreign);
    });
    assert.equal(await page.evaluate(() => window.foreign), undefined);
    assert.ok(complaints.every((line) => line.includes("Content Security Policy")), complaints.join("\n"));
    assert.equal(complaints.length, 1, complaints.join("\n"));
    return page;
  },

  async "the slider moves points and tells the epoch"() {
    const { page, complaints } = await open();
    const before = await pixels(page);
    await page.locator("#film-slider").fill("0");
    assert.equal(await epoch(page), 0);
    const first = await pixels(page);
    assert.notEqual(first, before);
    assert.ok((await page.textContent("#film-values")).includes("training error"));
    await page.locator("#film-slider").fill(await page.getAttribute("#film-slider", "max"));
    assert.notEqual(await pixels(page), first);
    assert.deepEqual(complaints, []);
    return page;
  },

  async "the switch changes the axes"() {
    const { page, complaints } = await open();
    const [before, words] = [await pixels(page), await page.textContent("#film-axes")];
    await page.locator("label[for=plane-1]").click();
    assert.notEqual(await pixels(page), before);
    assert.notEqual(await page.textContent("#film-axes"), words);
    assert.ok((await page.textContent("#film-axes")).includes("centroid"));
    await page.locator("label[for=by-error]").click();
    assert.ok(await page.isHidden("#curves figure.by-epoch >> nth=0"));
    assert.ok(await page.isVisible("#curves figure.by-error >> nth=0"));
    assert.deepEqual(complaints, []);
    return page;
  },

  async "a click on a point shows its picture, a click on nothing lets it go"() {
    const { page, complaints } = await open();
    assert.equal(await shows(page), 0);
    await hit(page);
    assert.equal(await shows(page), 1);
    assert.match(await page.textContent("#film-point"), /sample#\d+label.+network says.+probability of/);
    await page.locator("#film-stage").click({ position: { x: 2, y: 2 } });
    assert.equal(await shows(page), 0);
    assert.deepEqual(complaints, []);
    return page;
  },

  async "the picture of a straggler leads to its point"() {
    const { page, complaints } = await open();
    const card = page.locator("#stragglers [data-point]").first();
    await card.focus();
    await page.keyboard.press("Enter");
    assert.equal(await shows(page), 1);
    const row = (await card.locator(".muted").textContent()).trim();
    assert.ok((await page.textContent("#film-point")).includes(row));
    assert.equal(await page.evaluate(() => document.activeElement.id), "film-stage");
    assert.deepEqual(complaints, []);
    return page;
  },

  async "the keyboard does all of it"() {
    const { page, complaints } = await open();
    await page.locator("#film-stage").focus();
    await page.keyboard.press("Home");
    assert.equal(await epoch(page), 0);
    await page.keyboard.press("ArrowRight");
    await page.keyboard.press("ArrowRight");
    assert.equal(await epoch(page), 2);
    await page.keyboard.press("ArrowLeft");
    assert.equal(await epoch(page), 1);
    await page.keyboard.press("Enter");
    assert.equal(await shows(page), 1);
    const first = await page.textContent("#film-point");
    await page.keyboard.press("Enter");
    assert.notEqual(await page.textContent("#film-point"), first);
    await page.keyboard.press("Shift+Enter");
    assert.equal(await page.textContent("#film-point"), first);
    await page.keyboard.press("Escape");
    assert.equal(await shows(page), 0);
    await page.locator("#film-slider").focus();
    await page.keyboard.press("ArrowRight");
    assert.equal(await epoch(page), 2);
    await page.locator("#plane-0").focus();
    await page.keyboard.press("ArrowRight");
    assert.ok(await page.isChecked("#plane-1"));
    assert.equal(await epoch(page), 2);
    assert.deepEqual(complaints, []);
    return page;
  },

  async "it plays from the beginning, and pauses"() {
    const { page, complaints } = await open();
    await page.locator("#film-stage").focus();
    await page.keyboard.press("Space");
    await page.waitForFunction(() => Number(document.getElementById("film-slider").value) >= 4);
    assert.equal(await page.textContent("#film-play"), "Pause");
    await page.click("#film-play");
    assert.equal(await page.textContent("#film-play"), "Play");
    const still = await pixels(page);
    await page.waitForTimeout(500);
    assert.equal(await pixels(page), still);
    assert.deepEqual(complaints, []);
    return page;
  },

  async "who wants little motion sees whole frames"() {
    const { page, complaints } = await open({ calm: true });
    await page.click("#film-play");
    const seen = new Set();
    for (let n = 0; n < 12; n += 1) {
      seen.add(await pixels(page));
      await page.waitForTimeout(100);
    }
    assert.ok(seen.size >= 2 && seen.size <= 4, `${seen.size} pictures in 1.2 s`);
    assert.deepEqual(complaints, []);
    return page;
  },

  async "a phone needs no sideways scroll, in the light and in the dark"() {
    for (const dark of [false, true]) {
      const { page, complaints } = await open({ size: PHONE, dark });
      await page.locator("#stragglers summary").click();
      const [needs, has] = await across(page);
      assert.ok(needs <= has, `${needs} of ${has} pixels`);
      await hit(page);
      assert.deepEqual(complaints, []);
      await page.close();
    }
  },
};

const failed = await runAll(tests);

// For people to look at.
for (const [name, how] of Object.entries({
  desktop: {}, dark: { dark: true }, phone: { size: PHONE }, "phone-dark": { size: PHONE, dark: true },
})) {
  const { page } = await open(how);
  await page.screenshot({ path: join(shots, `${name}-page.png`), fullPage: true });
  for (const id of ["manifolds", "stragglers"]) {
    if (id === "manifolds") {
      await page.locator("#film-stage").focus();
      await page.keyboard.press("Enter");
    }
    await page.locator(`#${id}`).screenshot({ path: join(shots, `${name}-${id}.png`) });
  }
  if (name === "desktop") {
    await page.locator("label[for=plane-1]").click();
    await page.locator("#manifolds").screenshot({ path: join(shots, "desktop-centroids.png") });
    await page.emulateMedia({ media: "print" });
    await page.pdf({ path: join(shots, "print.pdf"), format: "A4" });
  }
  await page.close();
}
await close();
console.log(`${Object.keys(tests).length - failed} of ${Object.keys(tests).length} passed; the page has ${statSync(page_).size} bytes; screenshots in ${shots}`);
process.exit(failed ? 1 : 0);
