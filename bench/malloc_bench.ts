import { registerSuite } from "./suite.ts";

registerSuite("malloc");
