import { registerSuite } from "./suite.ts";

registerSuite("programs");
