// These tests hold what the example programs print and how they end, as an operator
// sees it: the programs are built and run.

package examples_test

import (
	"bufio"
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the golden files anew")

var bin string // the folder of the built programs

var programs = []string{"addressbooks", "galprobe", "migrate", "migrate-bench", "provision", "sandbox", "watch"}

func TestMain(m *testing.M) {
	flag.Parse()
	os.Exit(func() int {
		dir, err := os.MkdirTemp("", "schoolmail-examples-*")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(dir)
		bin = dir
		args := []string{"build", "-o", dir + string(filepath.Separator)}
		for _, p := range programs {
			args = append(args, "./"+p)
		}
		if out, err := exec.Command("go", args...).CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "%s%v\n", out, err)
			return 1
		}
		return m.Run()
	}())
}

// run runs a program in an empty folder and returns what it prints and its exit status.
func run(t *testing.T, dir, program string, args ...string) (stdout, stderr string, status int) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), filepath.Join(bin, program), args...)
	var out, errs bytes.Buffer
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, &out, &errs
	err := cmd.Run()
	if e, ok := errors.AsType[*exec.ExitError](err); ok {
		status = e.ExitCode()
	} else if err != nil {
		t.Fatal(err)
	}
	return out.String(), errs.String(), status
}

// changing is what differs from run to run, from machine to machine or with the
// way in which the servers are asked.
var changing = []struct {
	what *regexp.Regexp
	as   string
}{
	{regexp.MustCompile(`\b(plan|Undo of plan) [0-9a-f]{12}\b`), "$1 ID"},
	{regexp.MustCompile(`(requests:|  time:|Peak memory).*`), "$1 ..."},
	{regexp.MustCompile(`\([0-9]+/s, [0-9.]+ [kM]?B/s\)`), "(...)"},
	{regexp.MustCompile(`, [0-9.]+ s\b`), ", N s"},
	{regexp.MustCompile(`^[0-9]+ requests, .*`), "N requests ..."},
	{regexp.MustCompile(`median [0-9.]+, longest [0-9.]+`), "median N, longest N"},
	{regexp.MustCompile(`\[user 3 owner.*\]`), "[...]"},
}

// stable returns the text without what changes. Lines of people who are worked on at
// the same time are put in order.
func stable(text, dir string) string {
	text = strings.ReplaceAll(text, dir, "DIR")
	var lines, side []string
	flush := func() {
		slices.Sort(side)
		lines = append(lines, side...)
		side = nil
	}
	for line := range strings.SplitSeq(text, "\n") {
		for _, c := range changing {
			line = c.what.ReplaceAllString(line, c.as)
		}
		if strings.Contains(line, "@school.test: ") {
			side = append(side, line)
			continue
		}
		flush()
		lines = append(lines, line)
	}
	flush()
	return strings.Join(lines, "\n")
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name+".golden")
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-update writes it anew):\n%s", file, diff)
	}
}

// The whole help of every program, and that asking for it is no mistake.
func TestHelp(t *testing.T) {
	t.Parallel()
	for _, p := range programs {
		t.Run(p, func(t *testing.T) {
			t.Parallel()
			stdout, stderr, status := run(t, t.TempDir(), p, "-h")
			if status != 0 {
				t.Errorf("exit status %d, want 0", status)
			}
			golden(t, p+"-help", stdout+stderr)
		})
	}
}

// Mistakes in the flags end with status 2.
func TestUsage(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	for _, c := range [][]string{
		{"provision", "extra"},
		{"provision", "-apply"},
		{"provision", "-people", "5"},
		{"provision", "-config", "x", "-apply", "-dry-run"},
		{"provision", "-config", "x", "-apply-plan", "y", "-undo", "z"},
		{"provision", "-config", "missing.toml"},
		{"addressbooks", "extra"},
		{"addressbooks", "-config", "missing.toml"},
		{"galprobe", "extra"},
		{"galprobe", "-config", "missing.toml"},
		{"migrate", "extra"},
		{"migrate", "-config", "missing.toml"},
		{"sandbox"},
		{"provision", "-nonsense"},
		{"addressbooks", "-nonsense"},
		{"galprobe", "-nonsense"},
		{"watch", "extra"},
		{"watch", "-apply"},
		{"watch", "-config", "missing.toml"},
		{"watch", "-config", "x", "-break-lease"},
		{"migrate", "-nonsense"},
		{"sandbox", "-nonsense"},
		{"migrate-bench", "-scale", "0"},
	} {
		dir := t.TempDir()
		stdout, stderr, status := run(t, dir, c[0], c[1:]...)
		fmt.Fprintf(&b, "$ %s\n%s[exit status %d]\n\n", strings.Join(c, " "), stable(stdout+stderr, dir), status)
	}
	golden(t, "usage", b.String())
}

// What a newcomer sees: every program without a configuration, on simulators.
func TestDemonstrations(t *testing.T) {
	t.Parallel()
	for _, c := range [][]string{
		{"provision", "-q", "-people", "60", "-out", "out"},
		{"addressbooks", "-people", "60"},
		{"addressbooks", "-people", "60", "-apply"},
		{"galprobe"},
		{"galprobe", "-leave-open"},
		{"watch", "-pupils", "1"},
		{"migrate"},
	} {
		t.Run(strings.Join(c, "_"), func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			stdout, _, status := run(t, dir, c[0], c[1:]...)
			files, err := filepath.Glob(filepath.Join(dir, "out", "*"))
			if err != nil {
				t.Fatal(err)
			}
			for i, f := range files {
				files[i] = filepath.Base(f)
			}
			golden(t, strings.TrimSuffix(strings.Join(c, ""), "-outout"),
				fmt.Sprintf("%s[exit status %d; files: %s]\n", stable(stdout, dir), status, strings.Join(files, " ")))
		})
	}
}

// TestOneDistrictFile runs every program with the file that the sandbox writes,
// unchanged.
func TestOneDistrictFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	sandbox := exec.CommandContext(t.Context(), filepath.Join(bin, "sandbox"), "-people", "40", "-dir", dir)
	out, err := sandbox.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := sandbox.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := sandbox.Process.Signal(os.Interrupt); err == nil {
			_ = sandbox.Wait()
		}
	})
	lines := bufio.NewScanner(out)
	for lines.Scan() && !strings.HasPrefix(lines.Text(), "Interrupt") {
		// until everything is there
	}
	for _, c := range []struct {
		args []string
		says string
	}{
		{[]string{"provision", "-apply", "-q"}, "40 accounts to create"},
		{[]string{"provision", "-apply"}, "Nothing to do."},
		{[]string{"addressbooks", "-apply"}, "context 10 done: folders +"},
		{[]string{"watch", "-apply", "-once"}, "everybody is looked at, nothing to do"},
		{[]string{"galprobe"}, "paths closed"},
		{[]string{"migrate", "-verify"}, "3 of 3 mailboxes complete, 60 messages"},
	} {
		args := append([]string{"-config", filepath.Join(dir, "district.toml")}, c.args[1:]...)
		stdout, stderr, status := run(t, t.TempDir(), c.args[0], args...)
		if status != 0 || !strings.Contains(stdout, c.says) || strings.Contains(stderr, "warning") {
			t.Errorf("%s: exit status %d, want 0 and %q\n%s%s", strings.Join(c.args, " "), status, c.says, stdout, stderr)
		}
	}
}
