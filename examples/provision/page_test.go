package main_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/site/sitetest"
)

var update = flag.Bool("update", false, "write the outputs of docs/operate.md anew")

var (
	page  = filepath.Join("..", "..", "docs", "operate.md")
	block = regexp.MustCompile("(?ms)^```console\n\\$ (.*?)\n(.*?)```$|^<!-- (deliver [a-z]+) -->$")
)

// changing is what is another with each run; the page shows "..." or a word instead.
var changing = []struct {
	what *regexp.Regexp
	as   string
}{
	{regexp.MustCompile(`\b[0-9a-f]{12}\b`), "ID"},
	{regexp.MustCompile(`(?m)^(  requests:|  time:).*`), "$1 ..."},
	{regexp.MustCompile(`\b20[0-9]{2}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}\b`), "DAY TIME"},
	{regexp.MustCompile(`\bapplied by \S+`), "applied by you"},
	{regexp.MustCompile(`, user [0-9]+:`), ", user N:"},
	{regexp.MustCompile(`\b[0-9]+ entries`), "N entries"},
}

// The commands of the operator's page are run in their order, on simulators, and print
// what the page shows.
func TestOperatePage(t *testing.T) {
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	blocks := block.FindAllStringSubmatch(string(text), -1)
	if len(blocks) < 10 {
		t.Fatalf("%s has %d commands", page, len(blocks))
	}
	got := make([]string, len(blocks))
	var script strings.Builder
	for i, b := range blocks {
		if b[3] != "" {
			fmt.Fprintln(&script, b[3])
			continue
		}
		fmt.Fprintf(&script, "keep %d %s\n", i, strings.ReplaceAll(b[1], "/tmp/district/", "$WORK/"))
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "page.txtar"), []byte(script.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	keep := func(ts *testscript.TestScript, _ bool, args []string) {
		var i int
		if _, err := fmt.Sscan(args[0], &i); err != nil {
			ts.Fatalf("%v", err)
		}
		status := run(ts, args[1:])
		out := ts.ReadFile("stdout")
		if out == "" {
			out = ts.ReadFile("stderr")
		}
		out = strings.ReplaceAll(out, ts.Getenv("WORK")+"/", "/tmp/district/")
		for _, c := range changing {
			out = c.what.ReplaceAllString(out, c.as)
		}
		if status != "0" {
			out += "[exit status " + status + "]\n"
		}
		got[i] = out
	}
	testscript.Run(t, testscript.Params{Dir: dir, RequireExplicitExec: true,
		Setup: func(env *testscript.Env) error {
			return setUp(env, sitetest.WithFirstDay(schoolmail.NewDate(2026, 8, 10)))
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"deliver": deliver, "keep": keep}})
	t.Cleanup(func() { // the script runs as a parallel subtest
		for i, b := range blocks {
			if b[3] != "" || b[2] == got[i] {
				continue
			}
			if !*update {
				t.Errorf("$ %s\nprints\n%s\nthe page shows (-update writes it anew)\n%s", b[1], got[i], b[2])
			}
			shown := "```console\n$ " + b[1] + "\n"
			text = []byte(strings.Replace(string(text), shown+b[2], shown+got[i], 1))
		}
		if *update {
			if err := os.WriteFile(page, text, 0o644); err != nil {
				t.Error(err)
			}
		}
	})
}
