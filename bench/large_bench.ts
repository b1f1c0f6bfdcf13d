import { registerSuite } from "./suite.ts";

registerSuite("large");
