// Renders the reference from the description in the page. Only the browser knows the
// origin of the page, so the placeholder for it is replaced here.
"use strict";

const description = document.getElementById("openapi");
const sans = "system-ui, sans-serif";
const mono = "ui-monospace, SFMono-Regular, Menlo, Consolas, monospace";

Redoc.init(
  JSON.parse(description.textContent.replaceAll(description.dataset.origin, location.origin)),
  {
    hideDownloadButtons: true,
    nativeScrollbars: true,
    jsonSamplesExpandLevel: 4,
    theme: {
      breakpoints: { small: "50rem", medium: "75rem", large: "105rem" },
      colors: { primary: { main: "#1a5fd0" } },
      spacing: { sectionVertical: 20 },
      typography: {
        fontFamily: sans,
        fontSize: "14px",
        headings: { fontFamily: sans, fontWeight: "600" },
        code: { fontFamily: mono, color: "#1b2230", backgroundColor: "#eef1f6" },
      },
      sidebar: { width: "270px", backgroundColor: "#f4f5f8" },
      rightPanel: { width: "43%", backgroundColor: "#1b2230" },
    },
  },
  document.getElementById("reference"),
);
