// Starts the world of the tests and leaves it running, to look at: node e2e/serve.mjs NARTHEX_BINARY
import { startWorld } from "./world.mjs";

const world = await startWorld(process.argv[2]);
console.log(world.url);
for (const signal of ["SIGINT", "SIGTERM"]) {
  process.on(signal, () => void world.stop().then(() => process.exit(0)));
}
