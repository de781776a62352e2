// Shows the OpenAPI document of GET /docs.json: its operations, and the schemas of their bodies.

import { byId, element, prose, table } from "./dom.js";

const REFERENCE = "#/components/schemas/";
let schemas = {};

const named = (reference) => reference.slice(REFERENCE.length);
const code = (text) => element("code", {}, text);
const link = (name) => element("a", { href: `#${name}` }, code(name));

/** The type of a schema in words, with links to the schemas that it names. */
function typed(schema) {
  if (schema.$ref) return [link(named(schema.$ref))];
  const either = schema.anyOf ?? schema.oneOf;
  if (either) return either.flatMap((one, at) => (at ? [" or ", ...typed(one)] : typed(one)));
  if (schema.const !== undefined) return [code(JSON.stringify(schema.const))];
  if (schema.enum) return schema.enum.flatMap((one, at) => (at ? [", ", code(one)] : [code(one)]));
  if (schema.type === "array") return ["array of ", ...typed(schema.items ?? schema.prefixItems?.[0] ?? {})];
  if (schema.additionalProperties) return ["object whose values are ", ...typed(schema.additionalProperties)];
  return [schema.type ?? "anything"];
}

const BOUNDS = {
  minimum: "at least *", maximum: "at most *", exclusiveMinimum: "above *", exclusiveMaximum: "below *", minItems: "* or more items",
  maxItems: "at most * items", minLength: "at least * characters", maxLength: "at most * characters", pattern: "matches ``*``",
};

function meaning(schema) {
  const bounds = Object.entries(BOUNDS).flatMap(([name, text]) => (name in schema ? [text.replace("*", () => schema[name])] : []));
  const standard = "default" in schema ? [`default ${JSON.stringify(schema.default)}`] : [];
  const limits = [...bounds, ...standard].join("; ");
  const text = [schema.description, limits && `${limits[0].toUpperCase()}${limits.slice(1)}.`].filter(Boolean).join(" ");
  return element("span", {}, prose(text));
}

function properties(caption, schema) {
  const required = new Set(schema.required ?? []);
  const rows = Object.entries(schema.properties).map(([name, field]) => {
    const title = element("span", {}, code(name), required.has(name) ? " required" : "");
    return [title, element("span", {}, typed(field)), meaning(field)];
  });
  return table(caption, ["field", "type", "meaning"], rows);
}

/** A value that fits a schema. */
function example(schema, seen = []) {
  if (schema.$ref) {
    const name = named(schema.$ref);
    return seen.includes(name) ? {} : example(schemas[name], [...seen, name]);
  }
  const given = schema.examples?.[0] ?? schema.default ?? schema.const ?? schema.enum?.[0];
  if (given !== undefined) return given;
  const either = schema.anyOf ?? schema.oneOf;
  if (either) return example(either[0], seen);
  if (schema.properties) {
    return Object.fromEntries(Object.entries(schema.properties).map(([name, field]) => [name, example(field, seen)]));
  }
  if (schema.type === "array") return [example(schema.items ?? {}, seen)];
  return { string: "text", integer: 1, number: 0.5, boolean: true, null: null }[schema.type] ?? {};
}

function bodies(content) {
  return Object.entries(content ?? {}).flatMap(([type, { schema }]) => [
    element("p", {}, code(type), ": ", typed(schema), schema.description ? `. ${schema.description}` : ""),
    schema.properties ? properties("The parts", schema) : null,
    type === "application/json" ? shown(schema) : null,
  ]);
}

function shown(schema) {
  const text = JSON.stringify(example(schema), null, 2);
  const summary = element("summary", {}, "An example");
  return element("details", {}, summary, element("pre", { tabindex: 0, "aria-label": "An example" }, code(text)));
}

function parameters(all = []) {
  if (!all.length) return null;
  const rows = all.map((one) => [code(one.name), element("span", {}, typed(one.schema)), meaning({ ...one.schema, ...one })]);
  return table("Headers", ["header", "type", "meaning"], rows);
}

function answers(responses) {
  const rows = Object.entries(responses).map(([status, { description, content }]) => {
    const types = Object.values(content ?? {}).flatMap(({ schema }) => typed(schema));
    return [code(status), description, element("span", {}, types)];
  });
  return table("Answers", ["status", "meaning", "body"], rows);
}

function operation(path, method, told) {
  const title = `${method.toUpperCase()} ${path}`;
  const id = title.replaceAll(/\W+/g, "-");
  byId("contents").append(element("li", {}, element("a", { href: `#${id}` }, code(title)), ` ${told.summary}`));
  const token = told.security ? "Asks for the token as Authorization: Bearer, where the service has one." : "Asks for no token.";
  return element(
    "section",
    { "aria-labelledby": id },
    element("h2", { id, tabindex: -1 }, code(title)),
    element("p", {}, `${told.summary} ${token}`),
    parameters(told.parameters),
    told.requestBody ? [element("h3", {}, "Body"), bodies(told.requestBody.content)].flat() : null,
    answers(told.responses),
    told.responses["200"].content?.["application/json"] ? shown(told.responses["200"].content["application/json"].schema) : null,
  );
}

function schema([name, described]) {
  return element(
    "section",
    { "aria-labelledby": name },
    element("h3", { id: name, tabindex: -1 }, code(name)),
    described.description ? element("p", {}, prose(described.description.split("\n\n")[0])) : null,
    described.properties ? properties(`The fields of ${name}`, described) : element("p", {}, typed(described)),
  );
}

try {
  const answer = await fetch("/docs.json");
  if (!answer.ok) throw new Error(`expected 200, got ${answer.status}`);
  const document = await answer.json();
  schemas = document.components.schemas;
  byId("summary").textContent = document.info.summary;
  const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, told]) => operation(path, method, told)),
  );
  byId("operations").append(...operations);
  byId("schemas").append(...Object.entries(schemas).map(schema));
  globalThis.document.getElementById(decodeURIComponent(location.hash.slice(1)))?.scrollIntoView();
} catch (error) {
  byId("failure").textContent = `The document cannot be shown: ${error.message}.`;
}
globalThis.document.body.dataset.ready = "yes";
