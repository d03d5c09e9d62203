import { defineConfig, type Plugin } from "vite";

// CodeMirror writes its styles into a <style> element, which the content security policy forbids, unless it sits in
// a shadow root: there it uses constructed style sheets. Documents have those too.
function constructedStyles(): Plugin {
  const condition = "!root.head && root.adoptedStyleSheets";
  return {
    name: "constructed-styles",
    transform(code, id) {
      if (!id.includes("style-mod")) return null;
      if (!code.includes(condition)) throw new Error("style-mod has changed: see vite.config.ts");
      return { code: code.replace(condition, "root.adoptedStyleSheets"), map: null };
    },
  };
}

const server = process.env.NARTHEX_URL ?? "http://localhost:9090";

export default defineConfig({
  base: "./",
  plugins: [constructedStyles()],
  esbuild: { jsx: "automatic", jsxImportSource: "preact", legalComments: "none" },
  build: {
    target: "es2022",
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    chunkSizeWarningLimit: 700,
    rollupOptions: {
      output: {
        entryFileNames: "assets/[name]-[hash].js",
        chunkFileNames: "assets/[name]-[hash].js",
        assetFileNames: "assets/[name]-[hash][extname]",
      },
    },
  },
  server: { proxy: { "/api": server, "/metrics": server } },
  test: { include: ["test/**/*.test.ts"] },
} as Parameters<typeof defineConfig>[0]);
