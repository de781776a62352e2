// The model's card, from GET /model.

import { described, element } from "./dom.js";
import { annotator } from "./verdict.js";

/** The card of a model as elements. */
export function card({ manifest, provider, lpips, limits, service_version: version }) {
  const { training } = manifest;
  const groups = training.annotators.map(({ kind, count }) => `${count} ${kind.replace("_", " ")}${count === 1 ? "" : "s"}`);
  const judged = groups.length ? `${groups.join(", ")}; so an annotator is ${annotator(manifest)} here` : "nobody";
  const missing = Object.entries(provider.missing).map(([name, reason]) => `${name}: ${reason}`);
  const facts = described([
    ["Model", `${manifest.name} ${manifest.version}`],
    ["What it is", manifest.summary],
    ["Learned from", training.summary],
    ["Judged by", judged],
    ["Data sets", training.datasets.join(", ") || "none"],
    ["Attacks it met", training.attacks.join(", ") || "none"],
    ["Input", `${manifest.input.width}x${manifest.input.height} pixels, ${manifest.input.filter}`],
    ["Threshold", manifest.threshold ?? "none: it is not calibrated"],
    ["Controls", manifest.controls ? `${manifest.controls.count}: ${manifest.controls.source}` : "none: no chance is given"],
    ["LPIPS", lpips ? `${lpips.name} ${lpips.version}` : "none: the service has no LPIPS artifact"],
    ["Licence", manifest.licence],
    ["SHA-256", element("code", {}, manifest.graph.sha256)],
    ["Runs on", `${provider.active}, ONNX Runtime ${provider.onnxruntime}, semsim ${version}`],
    ["Does not run on", missing.join("; ") || null],
    ["Limits", `${limits.pairs} pairs a request, ${mib(limits.image_bytes)} and ${limits.image_pixels.toLocaleString("en")} pixels an image`],
  ]);
  return [element("dl", {}, facts), ...results(manifest.results)];
}

function results(measured) {
  if (!measured.length) return [element("p", {}, "Nothing was measured on images that it had not learned from.")];
  const items = measured.map(({ metric, data, value, low, high, confidence, items }) =>
    element("li", {}, `${metric}: ${value} (${low} to ${high}, ${Math.round(100 * confidence)}%) on ${data.replaceAll("_", " ")}; ${items} items`),
  );
  return [element("p", {}, "Measured on originals that it had not learned from:"), element("ul", {}, items)];
}

function mib(bytes) {
  return `${(bytes / 2 ** 20).toFixed(bytes < 2 ** 20 ? 3 : 0)} MiB`;
}
