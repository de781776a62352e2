// Speaks with the service. The token stays in the field of the page, and nowhere else.

import { byId } from "./dom.js";

const TOKEN = /^[A-Za-z0-9._~+/-]+=*$/;

/** A refusal by the service, or by this page before it asked. */
export class Refusal extends Error {
  constructor(code, message) {
    super(message);
    this.code = code;
  }
}

/** The answer to a request as data. Raises a Refusal. */
export async function ask(path, options = {}) {
  const token = byId("token").value.trim();
  if (token && !TOKEN.test(token)) {
    throw new Refusal("unauthenticated", "expected a token of letters, digits and -._~+/ only, got other characters");
  }
  const headers = { ...options.headers, ...(token && { Authorization: `Bearer ${token}` }) };
  const answer = await fetch(path, { ...options, headers, cache: "no-store", redirect: "error" }).catch((error) => {
    if (error.name === "AbortError") throw error;
    throw new Refusal("unreachable", "The service cannot be reached");
  });
  const body = await answer.json().catch(() => null);
  if (answer.ok && body) return body;
  throw new Refusal(body?.error?.code ?? "invalid_answer", body?.error?.message ?? `expected an answer in JSON, got status ${answer.status}`);
}

/** The request for a pair of files as text for a shell and for Python. */
export function commands(asksToken) {
  const authorization = asksToken ? '-H "Authorization: Bearer $TOKEN" \\\n     ' : "";
  const token = asksToken ? ", token=token" : "";
  const address = location.origin;
  return {
    curl: `curl ${authorization}-F original=@original.png -F reconstruction=@reconstruction.png \\\n     ${address}/score`,
    python: `from semsim.client import Client  # in a clone of SemSim: pip install '.[client]'\n\nwith Client("${address}"${token}) as client:\n    print(client.score("original.png", "reconstruction.png"))`,
  };
}
