// Shows /openapi.json of this hub, and tries its calls. A credential that is typed in is gone when the page is left.
// @ts-check

/** @typedef {any} Json what the document holds: it is checked where it is made */

// Of the ways to carry a credential those that make sense here: a page sets no cookies on its calls, and one way for
// a token is enough.
const WAYS = ["bearer", "admin_token"];

/** The document with only those ways in it. @param {Json} api @returns {Json} */
const forThisPage = (api) => {
  const few = (/** @type {Json[]} */ ways) => ways.filter((way) => Object.keys(way).every((name) => WAYS.includes(name)));
  const operations = Object.values(api.paths).flatMap((/** @type {Json} */ path) => Object.values(path));
  for (const part of [api, ...operations]) if (part.security?.length) part.security = few(part.security);
  const schemes = WAYS.map((name) => [name, api.components.securitySchemes[name]]);
  api.components.securitySchemes = Object.fromEntries(schemes);
  return api;
};

const dark = matchMedia("(prefers-color-scheme: dark)");
const paint = () => document.documentElement.classList.toggle("dark-mode", dark.matches);
dark.addEventListener("change", paint);
paint();

/** @param {Json} spec */
const show = (spec) => {
  const { SwaggerUIBundle } = /** @type {Json} */ (window);
  SwaggerUIBundle({
    spec,
    dom_id: "#swagger-ui",
    presets: [SwaggerUIBundle.presets.apis],
    layout: "BaseLayout",
    docExpansion: "list",
    defaultModelsExpandDepth: 0,
    deepLinking: true,
    displayRequestDuration: true,
    tryItOutEnabled: true,
    // Its default asks a server on the web about the document.
    validatorUrl: null,
  });
};

/** @param {Error} error */
const failed = (error) => {
  /** @type {HTMLElement} */ (document.getElementById("swagger-ui")).textContent = `This page could not be made from /openapi.json: ${error.message}`;
};

fetch("/openapi.json").then((answer) => answer.json()).then(forThisPage).then(show).catch(failed);
