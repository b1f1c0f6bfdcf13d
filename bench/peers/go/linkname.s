// Nothing: that this file is here lets main.go declare functions without a body, which are linked by name.
