"""`iakeytool`: the command line of the JDK's keytool, without a JDK.

`main.main` runs one command with everything passed in (arguments, streams, clock, folder, environment) and gives the
exit status; `main.run` is the entry point of the program.  In the order of a call:

1. `options` reads the arguments against a table of all commands (`help` prints the same table);
2. a `session` holds them with the streams (`prompts`), files and warnings of the run; `stores` opens and saves
   keystores with the passwords given or asked for, `keys` does so with the keys inside;
3. one module per family of commands does the work through the library: `listing`, `importing`, `importcert`,
   `exportcert`, `entries`, `passwords`, `generate`, `requests`, `printcert`, `secrets`;
4. `texts` and `extensions` lay out what is printed, `weak` adds the block of warnings, `failures` words the errors.

Texts, prompts, streams and statuses are those of JDK 17 in an English locale; docs/iakeytool.rst lists where this
program differs on purpose.  Sentences of our own go to stderr and begin with `iakeytool: `.

The modules of commands are imported when their command runs: a listing loads no cryptography.
"""
