// Shows that transformers.js loads our ONNX exports, and that it computes the embeddings of `radapter embed`.
//
//     npm install @huggingface/transformers
//     radapter export MODEL --format onnx --out TOWERS
//     radapter export MODEL --format onnx --single --out SINGLE
//     radapter embed --model MODEL --images IMAGES --texts TEXTS.json --out EMBEDDINGS.safetensors
//     node xtask/peers/load_onnx.mjs TOWERS SINGLE IMAGES TEXTS.json EMBEDDINGS.safetensors
//
// IMAGES is a folder of squares of the model's image size, which no library resizes. Tokens and pixels are transformers.js' own.
// Prints a JSON object with the largest differences; the exit status is 1 if one is above its limit.

import { readFileSync, readdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import {
    AutoProcessor, AutoTokenizer, CLIPTextModelWithProjection, CLIPVisionModelWithProjection, RawImage, env, pipeline,
} from '@huggingface/transformers';

const LIMIT = 1e-5;
env.allowRemoteModels = false;
env.localModelPath = '/';

/** Rows of a tensor of a safetensors file in f32. */
function rows(file, name) {
    const length = Number(file.readBigUInt64LE(0));
    const { shape, data_offsets: [from, to] } = JSON.parse(file.subarray(8, 8 + length))[name];
    const bytes = file.subarray(8 + length + from, 8 + length + to);
    const values = new Float32Array(new Uint8Array(bytes).buffer);
    return Array.from({ length: shape[0] }, (_, row) => [...values.subarray(row * shape[1], (row + 1) * shape[1])]);
}

function difference(a, b) {
    return Math.max(...a.flatMap((row, i) => row.map((value, j) => Math.abs(value - b[i][j]))));
}

const normalized = (tensor) => tensor.normalize().tolist();

const [towers, single, images, texts, embeddings] = process.argv.slice(2).map((path) => resolve(path));
const expected = readFileSync(embeddings);
const [image, text] = ['image_embeddings', 'text_embeddings'].map((name) => rows(expected, name));
const sentences = JSON.parse(readFileSync(texts, 'utf8'));
const paths = readdirSync(images).sort().map((name) => join(images, name));

const pictures = await Promise.all(paths.map((path) => RawImage.read(path)));
const processor = await AutoProcessor.from_pretrained(towers);
const tokenizer = await AutoTokenizer.from_pretrained(towers);
const vision = await CLIPVisionModelWithProjection.from_pretrained(towers);
const language = await CLIPTextModelWithProjection.from_pretrained(towers);
const { image_embeds } = await vision(await processor(pictures));
const { text_embeds } = await language(tokenizer(sentences, { padding: true, truncation: true }));
const figures = {
    image_embeddings: difference(normalized(image_embeds), image),
    text_embeddings: difference(normalized(text_embeds), text),
};

// The pipeline's labels are the texts, in the order of their scores.
const classify = await pipeline('zero-shot-image-classification', single);
const answers = await classify(pictures, sentences, { hypothesis_template: '{}' });
const best = image.map((row) => {
    const cosines = text.map((other) => other.reduce((sum, value, i) => sum + value * row[i], 0));
    return sentences[cosines.indexOf(Math.max(...cosines))];
});
figures.same_answers = answers.every((answer, i) => answer[0].label === best[i]);

console.log(JSON.stringify(figures, null, 1));
const wrong = Object.entries(figures).filter(([, value]) => value === false || !(value <= LIMIT || value === true));
if (wrong.length) {
    console.error(`above the limit: ${wrong.map(([name]) => name).join(', ')}`);
    process.exit(1);
}
