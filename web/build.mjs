// SPDX-License-Identifier: MIT
//
// Builds dist/page.html: shell.html with one style and one script in it, each named in the
// page's Content-Security-Policy by its hash.  Nothing else may run, load or be asked for.
import { build } from "esbuild";
import { createHash } from "node:crypto";
import { mkdir, readFile, rename, writeFile } from "node:fs/promises";

const DATA = "@@MEMWHY-DATA@@"; // tools/page cuts the page in two here

async function bundle(entry) {
  const result = await build({
    entryPoints: [entry],
    bundle: true,
    minify: true,
    write: false,
    format: "iife",
    target: ["chrome103", "firefox113", "safari16.4"],
    legalComments: "none",
    charset: "utf8",
    jsx: "automatic",
    jsxImportSource: "preact",
    define: { "process.env.NODE_ENV": '"production"' },
  });
  return result.outputFiles[0].text.trim();
}

// What a <script> or <style> contains may not end it, or begin a comment in it.
function inline(text, what) {
  if (/<\/(script|style)|<!--/i.test(text)) throw new Error(`the ${what} would end its element`);
  return text;
}

const hash = (text) => `'sha256-${createHash("sha256").update(text, "utf8").digest("base64")}'`;

const script = inline(await bundle("src/main.tsx"), "script");
const style = inline(await bundle("src/style.css"), "style");
const policy = [
  "default-src 'none'",
  `script-src ${hash(script)}`,
  `style-src ${hash(style)}`,
  "base-uri 'none'",
  "form-action 'none'",
].join("; ");

// Those whose code is in the page want their terms to be in it, too.
async function licences() {
  const { dependencies } = JSON.parse(await readFile("package.json", "utf8"));
  const texts = Object.keys(dependencies).map(async (name) => {
    const text = await readFile(`node_modules/${name}/LICENSE`, "utf8");
    return `This page contains ${name}.\n\n${text.trim()}`;
  });
  const all = (await Promise.all(texts)).join("\n\n");
  if (all.includes("--")) throw new Error("a licence would end its comment");
  return all;
}

const terms = await licences();
const shell = await readFile("src/shell.html", "utf8");
const page = shell
  .replace("@@LICENCES@@", () => terms)
  .replace("@@POLICY@@", () => policy)
  .replace("@@STYLE@@", () => style)
  .replace("@@SCRIPT@@", () => script);
if (page.split(`\n${DATA}\n`).length !== 2) throw new Error("the page has no place for its data");

await mkdir("dist", { recursive: true });
await writeFile("dist/page.html.part", page);
await rename("dist/page.html.part", "dist/page.html");
console.log(`dist/page.html: ${page.length} characters`);
