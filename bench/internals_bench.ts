import { registerSuite } from "./suite.ts";

registerSuite("internals");
