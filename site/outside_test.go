package site_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestOutsideModule builds the Example as a program of another module that requires
// this one, and compares what it prints: everything that the main job needs can be
// imported. The program is short.
func TestOutsideModule(t *testing.T) {
	t.Parallel()
	example, err := os.ReadFile("example_test.go")
	if err != nil {
		t.Fatal(err)
	}
	text, output, ok := strings.Cut(string(example), "\t// Output:\n")
	if !ok {
		t.Fatal("example_test.go has no output")
	}
	text = strings.NewReplacer("package site_test", "package main", "func Example()", "func main()").Replace(text) + "}\n"
	if n := strings.Count(text, "\n"); n >= 60 {
		t.Errorf("the program has %d lines, want less than 60", n)
	}
	repository, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	mod, err := os.ReadFile(filepath.Join(repository, "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	// The requirements of this module are its own, so that nothing is looked up.
	_, requires, _ := strings.Cut(string(mod), "\nrequire")
	const name = "github.com/ictmedia/schoolmail"
	outside := "module example.org/outside\n\ngo 1.26.0\n\nrequire " + name + " v0.0.0\n\nreplace " + name + " => " +
		repository + "\n\nrequire" + requires
	sum, err := os.ReadFile(filepath.Join(repository, "go.sum"))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for file, data := range map[string]string{"main.go": text, "go.mod": outside, "go.sum": string(sum)} {
		if err := os.WriteFile(filepath.Join(dir, file), []byte(data), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.CommandContext(t.Context(), "go", "run", "-mod=mod", ".")
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "GOWORK=off", "GOFLAGS=", "GOPROXY=off")
	got, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, got)
	}
	var want strings.Builder
	for line := range strings.Lines(output) {
		if said, ok := strings.CutPrefix(line, "\t// "); ok {
			want.WriteString(said)
		}
	}
	// As go test compares: without blanks at the ends.
	if diff := cmp.Diff(strings.TrimSpace(want.String()), strings.TrimSpace(blanks.ReplaceAllString(string(got),
		"\n"))); diff != "" {
		t.Errorf("(-example +outside)\n%s", diff)
	}
}

var blanks = regexp.MustCompile(` +\n`)
