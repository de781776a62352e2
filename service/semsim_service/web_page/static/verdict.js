// Puts a result of the service into words. None of them says safe.

const KINDS = { person: "a person", vision_model: "a vision model", classifier: "a classifier" };
const NOT_SAFE = "This does not say that nothing leaks.";
const REASONS = {
  original: "The original shows nothing that anybody could recognise: a plain colour, a gradient or noise.",
  blank: "The reconstruction is blank or dim beside the original, as after a failed attack or values not scaled to 0..255.",
  reordered:
    "The reconstruction resembles the original mirrored, turned, shifted, inverted or with its channels or axes in another order.",
  moved: "The reconstruction resembles the original elsewhere in the picture, which this model sees badly. Look at it.",
};

/** The annotators of a model in a few words, such as "a vision model". */
export function annotator(manifest) {
  const kinds = [...new Set(manifest.training.annotators.map((group) => KINDS[group.kind] ?? group.kind))];
  return kinds.join(" or ") || "an annotator";
}

/** What a result says: { kind, headline, sentences }. The kind is leaks, unshown, unknown or refused. */
export function verdict(result, manifest) {
  if (result.error) {
    return told("refused", "Not scored", `${result.error.message} (${result.error.code}).`, NOT_SAFE);
  }
  if (result.uninformative) {
    const reason = REASONS[result.uninformative] ?? `The service calls the pair uninformative: ${result.uninformative}.`;
    return told("unknown", "Could not tell", reason, NOT_SAFE);
  }
  if (result.leakage === null) {
    const reason = "This model has no calibration. It gives a distance, and neither a leakage nor a verdict.";
    return told("unknown", "Could not tell", reason, NOT_SAFE);
  }
  const threshold = manifest?.threshold ?? null;
  const probability = `The probability that ${manifest ? annotator(manifest) : "an annotator"} recognises what the reconstruction shows is ${fixed(result.leakage)}`;
  const side = (word) => (threshold === null ? "." : `, ${word} the model's threshold of ${threshold}.`);
  if (result.recognizable) {
    const doubt = result.leakage < 0.5 ? "The threshold is low, so as to miss few leaks: such a pair may also be a false alarm. Look at it." : null;
    return told("leaks", "Leaks", probability + side("at or above"), doubt, picture(result));
  }
  const others = "Other attacks may rebuild more, and the model errs. Look at it, and at the other numbers.";
  return told("unshown", "Not shown to leak by this", probability + side("below"), picture(result), others);
}

function picture(result) {
  if (result.identified === null) return null;
  const near = "are as near to the reconstruction as its original is";
  if (!result.identified) return `It is not identified: ${percent(result.chance)} of public pictures ${near}.`;
  const told = `it is identified as this very picture: fewer than 1 in 100 public pictures ${near}.`;
  return result.recognizable ? `And ${told}` : `But ${told}`;
}

function told(kind, headline, ...sentences) {
  return { kind, headline, sentences: sentences.filter(Boolean) };
}

const NUMBERS = [
  ["leakage", leakage, "The probability that an annotator recognises the reconstruction, 0 to 1; higher is worse. The range is that of calibrations on other draws of the judged originals."],
  ["recognizable", yes, "The leakage is at or above the model's threshold: somebody may name what the reconstruction shows."],
  ["chance", percent, "The share of public pictures, the controls, that are as near to the reconstruction as its original is."],
  ["identified", yes, "The chance is below 1%: it is this picture, and not only one of its kind."],
  ["distance", (value) => value.toFixed(4), "The distance of the two embeddings; 0 for the same image, lower is worse."],
  ["psnr", (value) => `${value.toFixed(2)} dB`, "Peak signal-to-noise ratio of the pixels. It says little about what people see."],
  ["ssim", (value) => value.toFixed(4), "Structural similarity of the pixels, -1 to 1; 1 for equal images."],
  ["mse", (value) => value.toFixed(1), "Mean squared error of the pixels, in squared levels of 0..255."],
  ["lpips", (value) => value.toFixed(4), "LPIPS with AlexNet, a distance of what a network for classification sees; 0 for equal images."],
  ["resized", yes, "The reconstruction was resized to the original for the pixel metrics."],
];

/** The numbers of a scored pair as rows: name, value, meaning. */
export function numbers(result) {
  const given = ([name]) => name in result && !(name === "lpips" && result.lpips === null); // not every service has LPIPS
  return NUMBERS.filter(given).map(([name, show, meaning]) => {
    const missing = name === "psnr" ? "infinite" : "none";
    return [name, result[name] === null ? missing : show(result[name], result), meaning];
  });
}

function leakage(value, { leakage_low: low, leakage_high: high }) {
  return low === null ? fixed(value) : `${fixed(value)} (${fixed(low)} to ${fixed(high)})`;
}

function yes(value) {
  return value ? "yes" : "no";
}

function fixed(value) {
  return value.toFixed(2);
}

export function percent(share) {
  return `${(100 * share).toFixed(share < 0.1 ? 1 : 0)}%`;
}
