// Builds the two scripts from src/. `node build.mjs FOLDER` writes them there; `node build.mjs --check` builds them
// into a temporary folder and fails where they differ from the committed ones.
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const here = dirname(fileURLToPath(import.meta.url));
const targets = [
  { entry: "src/page.ts", name: "flamegraph.page.js", format: "iife" },
  { entry: "src/streamlit.ts", name: "flamegraph.streamlit.js", format: "esm" },
];

async function buildInto(folder) {
  for (const { entry, name, format } of targets) {
    await build({
      absWorkingDir: here,
      entryPoints: [entry],
      outfile: join(folder, name),
      bundle: true,
      format,
      target: "es2022",
      charset: "ascii",
      banner: { js: "// Built from pyrometer/flamegraph/src by `npm run build`: edit there." },
      logLevel: "warning",
    });
  }
}

if (process.argv[2] === "--check") {
  const folder = mkdtempSync(join(tmpdir(), "flamegraph-"));
  try {
    await buildInto(folder);
    const stale = targets.filter(
      ({ name }) => readFileSync(join(folder, name), "utf8") !== readFileSync(join(here, name), "utf8"),
    );
    for (const { name } of stale) console.error(`${name} is not what the sources say: run npm run build`);
    process.exitCode = stale.length ? 1 : 0;
  } finally {
    rmSync(folder, { recursive: true });
  }
} else {
  await buildInto(process.argv[2] ?? here);
}
