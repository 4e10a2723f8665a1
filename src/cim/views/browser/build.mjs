// Bundles src/ to cim.js and cim.css, and writes manifest.json: the digests by which a forgotten rebuild shows.
// `npm ci && npm run build` in this folder. The result depends on the sources and the lock only.
import { createHash } from "node:crypto";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const here = fileURLToPath(new URL(".", import.meta.url));

await build({
  absWorkingDir: here,
  entryPoints: [
    { in: "src/main.js", out: "cim" },
    { in: "src/main.css", out: "cim" },
  ],
  outdir: ".",
  bundle: true,
  minify: true,
  format: "esm",
  target: "es2022",
  charset: "utf8",
  legalComments: "none",
  alias: { tweetnacl: "./src/unsigned.js" },
  logLevel: "info",
});

const sources = readdirSync(join(here, "src")).map((name) => `src/${name}`);
const files = [...sources, "build.mjs", "package.json", "package-lock.json", "cim.js", "cim.css"].sort();
const digest = (name) => createHash("sha256").update(readFileSync(join(here, name))).digest("hex");
const manifest = Object.fromEntries(files.map((name) => [name, digest(name)]));
writeFileSync(join(here, "manifest.json"), JSON.stringify(manifest, null, 2) + "\n");
