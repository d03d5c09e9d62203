// The page in headless Chromium against a real server. Usage: run.mjs NARTHEX_BINARY [SCREENSHOT_FOLDER]
// Exit code 77: skipped, and by what lack.
import { existsSync, mkdirSync } from "node:fs";
import path from "node:path";
import { after, before } from "node:test";
import { startWorld } from "./world.mjs";

const [binary, shots = "build/page"] = process.argv.slice(2).map((one) => path.resolve(one));
const skip = (why) => {
  console.log(`page: skipped: ${why}`);
  process.exit(77);
};

const chromiumPath = ["/usr/bin/chromium", "/usr/bin/chromium-browser"].find(existsSync);
if (chromiumPath === undefined) skip("there is no Chromium");
const playwright = await import("playwright-core").catch(() => skip("playwright-core is not installed (./dev web)"));

mkdirSync(shots, { recursive: true });
export const t = { shots, binary }; // what the tests share: browser, world

before(async () => {
  t.world = await startWorld(binary);
  t.browser = await playwright.chromium.launch({ executablePath: chromiumPath, args: ["--no-sandbox"] });
});

after(async () => {
  await t.browser?.close();
  await t.world?.stop();
});

const { register: queryTests } = await import("./query_tests.mjs");
const { register: pageTests } = await import("./page_tests.mjs");
queryTests(t);
pageTests(t);
