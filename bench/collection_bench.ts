import { registerSuite } from "./suite.ts";

registerSuite("collection");
