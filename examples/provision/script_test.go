// The scripts in testdata play what an operator does, on simulators, and hold what each
// flag does. They are in the form of package testscript.

package main_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/ictmedia/schoolmail/escada/escadatest"
	"github.com/ictmedia/schoolmail/examples/provision/internal/program"
	"github.com/ictmedia/schoolmail/internal/cli"
	"github.com/ictmedia/schoolmail/site/sitetest"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"provision": func() { cli.Main(program.Main) }})
}

// A script has a district of sixty people on simulators that are its own. $FIRST, $LATER
// and $TERM are its first day, the next one and the first of the next term; $LEAVER and
// $STAYER record ids, $SCHOOL and $CLASS those of the stayer.
func TestScripts(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{Dir: "testdata", RequireExplicitExec: true,
		Setup: func(env *testscript.Env) error { return setUp(env) },
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"deliver": deliver, "nextterm": nextTerm,
			"exits":    exits,
			"estrange": estrange, "sign": sign}})
}

func setUp(env *testscript.Env, opts ...sitetest.Option) error {
	sb, err := sitetest.Start(append(opts, sitetest.WithPeople(60))...)
	if err != nil {
		return err
	}
	env.Defer(func() { _ = sb.Close() })
	if err := sb.WriteDir(env.WorkDir); err != nil {
		return err
	}
	d := sb.District
	records := d.Records()
	last := records[len(records)-1]
	env.Values["district"], env.Values["sandbox"] = d, sb
	env.Setenv("FIRST", d.Today().String())
	env.Setenv("LATER", d.Today().AddDays(1).String())
	env.Setenv("TERM", d.Next(nil).Today().String())
	env.Setenv("LEAVER", records[0].Key.ID)
	env.Setenv("STAYER", last.Key.ID)
	env.Setenv("SCHOOL", string(last.Memberships[0].School))
	env.Setenv("CLASS", last.Memberships[0].Classes[0])
	return nil
}

// nextTerm writes the export of the next term into a folder.
func nextTerm(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 1 {
		ts.Fatalf("usage: nextterm DIR")
	}
	e, err := ts.Value("district").(*escadatest.District).Next(nil).Export(nil)
	ts.Check(err)
	ts.Check(e.WriteDir(ts.MkAbs(args[0])))
}

// deliver puts another export there: "leaver", without the leaver; "term", that of the
// next term.
func deliver(ts *testscript.TestScript, _ bool, args []string) {
	d := ts.Value("district").(*escadatest.District)
	if len(args) != 1 {
		ts.Fatalf("usage: deliver leaver|term")
	}
	var e escadatest.Export
	var err error
	switch args[0] {
	case "leaver":
		e, err = escadatest.NewExport(d.Records()[1:], nil)
	case "term":
		e, err = d.Next(nil).Export(nil)
	default:
		ts.Fatalf("deliver %s: expected leaver or term", args[0])
	}
	ts.Check(err)
	dir := ts.MkAbs("export")
	ts.Check(os.RemoveAll(dir))
	ts.Check(os.Mkdir(dir, 0o700))
	ts.Check(e.WriteDir(dir))
}

// estrange takes all record ids from the directory and forgets the state: the site lives,
// but was never seen.
func estrange(ts *testscript.TestScript, _ bool, _ []string) {
	_, err := ts.Value("sandbox").(*sitetest.Sandbox).Estrange()
	ts.Check(err)
	ts.Check(os.RemoveAll(ts.MkAbs("state")))
}

// sign fills in who answers for a list.
func sign(ts *testscript.TestScript, _ bool, args []string) {
	file := ts.MkAbs(args[0])
	text := strings.Replace(ts.ReadFile(file), "\nby;\n", "\nby;H. Frei\n", 1)
	text = strings.Replace(text, "\ndate;\n", "\ndate;2026-11-29\n", 1)
	ts.Check(os.WriteFile(file, []byte(text), 0o600))
}

// exits runs a program that is expected to end with a status.
func exits(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) < 2 {
		ts.Fatalf("usage: exits status program [args...]")
	}
	if status := run(ts, args[1:]); status != args[0] {
		ts.Fatalf("exit status %s, want %s", status, args[0])
	}
}

// run runs a program and returns its exit status.
func run(ts *testscript.TestScript, args []string) string {
	err := ts.Exec(args[0], args[1:]...)
	if e, ok := err.(*exec.ExitError); ok {
		return strings.TrimPrefix(e.Error(), "exit status ")
	} else if err != nil {
		ts.Fatalf("%v", err)
	}
	return "0"
}

// Every flag that -h lists is in a script.
func TestEveryFlagIsInAScript(t *testing.T) {
	t.Parallel()
	help, err := os.ReadFile(filepath.Join("..", "testdata", "provision-help.golden"))
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	var scripts strings.Builder
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		scripts.Write(b)
	}
	flags := regexp.MustCompile(`(?m)^  (-[a-z-]+)`).FindAllStringSubmatch(string(help), -1)
	if len(flags) < 20 {
		t.Fatalf("%d flags in the help", len(flags))
	}
	for _, f := range flags {
		if !regexp.MustCompile(regexp.QuoteMeta(f[1]) + `\b[^-]`).MatchString(scripts.String()) {
			t.Errorf("no script has %s", f[1])
		}
	}
}
