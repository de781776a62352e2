// Makes elements. Nothing here, and nothing that calls it, reads a text as HTML.

const SVG = "http://www.w3.org/2000/svg";

export const byId = (id) => document.getElementById(id);

/** An element with attributes and children: texts and elements. Attributes that are null or false are left out. */
export function element(tag, attributes = {}, ...children) {
  return filled(document.createElement(tag), attributes, children);
}

/** The same for SVG. */
export function shape(tag, attributes = {}, ...children) {
  return filled(document.createElementNS(SVG, tag), attributes, children);
}

function filled(made, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== null && value !== false && value !== undefined) made.setAttribute(name, value);
  }
  made.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return made;
}

/** The texts and <code> of a sentence that has ``names`` in it. */
export function prose(text) {
  return text.split("``").map((part, at) => (at % 2 ? element("code", {}, part) : part));
}

/** The terms and descriptions of a <dl>; pairs without a description are left out. */
export function described(pairs) {
  return pairs.flatMap(([term, text]) =>
    text === null || text === undefined ? [] : [element("dt", {}, term), element("dd", {}, text)],
  );
}

/** A table. Its first column holds the headings of the rows. */
export function table(caption, headings, rows) {
  const cells = (row) => row.map((cell, place) => element(place ? "td" : "th", place ? {} : { scope: "row" }, cell));
  return element(
    "table",
    {},
    element("caption", {}, caption),
    element("thead", {}, element("tr", {}, headings.map((text) => element("th", { scope: "col" }, text)))),
    element("tbody", {}, rows.map((row) => element("tr", {}, cells(row)))),
  );
}
