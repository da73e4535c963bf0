import { defineConfig } from "vite";

// Addresses are relative, so that the page works wherever a proxy puts it.
export default defineConfig({
  base: "./",
  oxc: { jsx: { runtime: "automatic", importSource: "preact" } },
  build: {
    outDir: "../src/undark/serve/static",
    emptyOutDir: true,
    target: "es2022",
    modulePreload: false,
    // No image becomes a data: address.
    assetsInlineLimit: 0,
    license: { fileName: "assets/licences.md" },
  },
  server: { proxy: { "/v1": process.env.UNDARK_SERVER ?? "http://127.0.0.1:8765" } },
});
