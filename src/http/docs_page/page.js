// Shows /openapi.json of this hub. A credential that is typed in is gone when the page is left.
window.onload = () => {
  SwaggerUIBundle({
    url: "/openapi.json",
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
