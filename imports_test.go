package schoolmail_test

import (
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

type goPackage struct {
	ImportPath, Name, Doc, Dir string
	Imports, Deps, GoFiles     []string
	Standard                   bool
}

func list(t *testing.T, args ...string) []goPackage {
	t.Helper()
	cmd := exec.Command("go", append([]string{"list", "-json=ImportPath,Name,Doc,Dir,Imports,Deps,GoFiles,Standard"},
		args...)...)
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var ps []goPackage
	for d := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p goPackage
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return ps
		} else if err != nil {
			t.Fatal(err)
		}
		ps = append(ps, p)
	}
}

const module = "github.com/ictmedia/schoolmail"

// TestRootIsPure holds that the planner, and what it imports of this module, sees no
// network, no files, no clock and no randomness, and no library but
// golang.org/x/text and a table of letters.
func TestRootIsPure(t *testing.T) {
	t.Parallel()
	forbidden := []string{"net", "net/http", "os", "math/rand", "math/rand/v2", "crypto/rand", "os/exec", "os/signal",
		"io/fs", "flag", "log", "syscall"}
	root := list(t, module)[0]
	parts := []string{module}
	for _, d := range root.Deps {
		if strings.HasPrefix(d, module+"/") {
			if parts = append(parts, d); !strings.HasPrefix(d, module+"/internal/") {
				t.Errorf("the root package imports %s: only packages under internal are allowed", d)
			}
		}
	}
	for _, p := range list(t, parts...) {
		for _, i := range p.Imports {
			if slices.Contains(forbidden, i) {
				t.Errorf("%s imports %s: the root package and what it imports are pure", p.ImportPath, i)
			}
			if p.ImportPath == module+"/internal/translit" && i == "github.com/mozillazg/go-unidecode" {
				continue // tables alone, without state
			}
			if strings.Contains(i, ".") && !strings.HasPrefix(i, "golang.org/x/text/") && !slices.Contains(parts, i) {
				t.Errorf("%s imports %s: only the standard library and golang.org/x/text are allowed below the root package",
					p.ImportPath, i)
			}
		}
		for _, file := range p.GoFiles {
			text, err := os.ReadFile(filepath.Join(p.Dir, file))
			if err != nil {
				t.Fatal(err)
			}
			for _, clock := range []string{"time.Now(", "time.Since(", "time.Sleep(", "time.After(", "time.NewTimer("} {
				if strings.Contains(string(text), clock) {
					t.Errorf("%s of %s looks at the clock: %s...)", file, p.ImportPath, clock)
				}
			}
		}
	}
}

// TestWhoImportsWhom holds the table of the design.
func TestWhoImportsWhom(t *testing.T) {
	t.Parallel()
	sdk := []string{"escada", "ucs", "ox", "dovecot", "addressbook"}
	top := func(path string) string {
		rel := strings.TrimPrefix(path, module+"/")
		first, _, _ := strings.Cut(rel, "/")
		return first
	}
	knowsAll := func(path string) bool {
		for _, p := range []string{"/examples", "/site", "/internal/cli"} {
			if strings.HasPrefix(path, module+p) {
				return true
			}
		}
		return false
	}
	for _, p := range list(t, module+"/...") {
		for _, i := range p.Imports {
			if !strings.HasPrefix(i, module+"/") {
				continue
			}
			a, b := top(p.ImportPath), top(i)
			switch {
			case knowsAll(p.ImportPath), a == b:
			case slices.Contains(sdk, a) && slices.Contains(sdk, b):
				if a == "addressbook" && i == module+"/ox/appsuite" {
					continue
				}
				t.Errorf("%s imports %s: the parts of the SDK do not know each other", p.ImportPath, i)
			case b == "examples":
				t.Errorf("%s imports %s: nobody imports an example", p.ImportPath, i)
			case a == "internal" && slices.Contains(sdk, b) && !strings.HasSuffix(i, "test"):
				t.Errorf("%s imports %s: only site and its sub-packages know everybody", p.ImportPath, i)
			}
			if strings.HasPrefix(i, module+"/ox/internal/") && a != "ox" {
				t.Errorf("%s imports %s: generated types stay inside ox", p.ImportPath, i)
			}
			if rooms := module + "/ox/oxtest/internal/"; strings.HasPrefix(p.ImportPath, rooms) &&
				strings.HasPrefix(i, module+"/ox/oxtest") {
				from, to := strings.TrimPrefix(p.ImportPath, rooms), strings.TrimPrefix(i, rooms)
				if to != "traffic" && to != "state" || from == "traffic" || from == to {
					t.Errorf("%s imports %s: of oxtest, a server knows the state and the traffic only", p.ImportPath, i)
				}
			}
		}
		if !strings.HasPrefix(p.ImportPath, module+"/examples") && !knowsAll(p.ImportPath) {
			for _, d := range p.Deps {
				for _, bad := range []string{"github.com/vbauerster/mpb", "golang.org/x/term", "github.com/pelletier/go-toml"} {
					reads := top(p.ImportPath) == "escada" || slices.Contains(p.Deps, module+"/escada")
					if strings.HasPrefix(bad, "github.com/pelletier/") && reads {
						continue // profiles of exports are TOML, wherever they are used
					}
					if strings.HasPrefix(d, bad) {
						t.Errorf("%s depends on %s, which is for programs", p.ImportPath, d)
					}
				}
			}
		}
	}
}

// TestPackageComments holds that every package says what it is for.
func TestPackageComments(t *testing.T) {
	t.Parallel()
	for _, p := range list(t, module+"/...") {
		if len(p.Doc) < 20 {
			t.Errorf("%s has no package comment", p.ImportPath)
		}
	}
}
