// The texts whose contrast is below that of WCAG 2.2, level AA, each with its contrast.
const parse = (text) => text.match(/[\d.]+/g).map(Number);
const linear = (level) => (level / 255 <= 0.04045 ? level / 255 / 12.92 : ((level / 255 + 0.055) / 1.055) ** 2.4);
const luminance = ([red, green, blue]) => 0.2126 * linear(red) + 0.7152 * linear(green) + 0.0722 * linear(blue);
function ground(element) {
  const [red, green, blue, alpha = 1] = element ? parse(getComputedStyle(element).backgroundColor) : [255, 255, 255];
  return alpha ? [red, green, blue] : ground(element.parentElement);
}
const poor = [];
const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
while (texts.nextNode()) {
  const element = texts.currentNode.parentElement;
  if (!texts.currentNode.data.trim() || !element.checkVisibility() || element.closest(":disabled, noscript, script")) continue;
  const style = getComputedStyle(element);
  const [one, other] = [parse(element.closest("svg") ? style.fill : style.color), ground(element)].map(luminance);
  const contrast = (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
  if (contrast < 4.5) poor.push([texts.currentNode.data.trim(), contrast]);
}
return poor;
