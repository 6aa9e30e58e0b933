package breaks

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Suite is a number of breaks with the test programs that try them, which are built
// when they are needed. It is for one Try at a time.
type Suite struct {
	list     []Break
	root     string
	dir      string              // of the overlay and the programs
	programs map[string]*program // by package
}

// program is the test program of a package.
type program struct {
	dir, file string
	flags     []string
	drawing   bool // some tests draw their input, which costs most of the time
}

// also are packages whose tests are asked besides the file's own.
var also = map[string][]string{
	".":    {"internal/years"},
	"site": {"examples/provision/internal/program"},
}

// ErrFailsAnyway says that a test fails without any break, so that nothing can be tried.
var ErrFailsAnyway = errors.New("it fails without any break")

const environment = "SCHOOLMAIL_BREAK"

// Prepare makes ready to try some breaks. An error says that one of them does not
// apply. Close removes what is built.
func Prepare(root string, list []Break) (*Suite, error) {
	dir, err := os.MkdirTemp("", "breaks")
	if err != nil {
		return nil, fmt.Errorf("breaks: %w", err)
	}
	s := &Suite{list: list, root: root, dir: dir, programs: map[string]*program{}}
	replace, err := s.overlay()
	if err == nil {
		var data []byte
		if data, err = json.Marshal(map[string]any{"Replace": replace}); err == nil {
			err = os.WriteFile(filepath.Join(dir, "overlay.json"), data, 0o600)
		}
	}
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// Close removes what was built.
func (s *Suite) Close() error { return os.RemoveAll(s.dir) }

// overlay writes the files with all breaks, and returns what stands for what.
func (s *Suite) overlay() (map[string]string, error) {
	byFile := map[string][]int{}
	for i := range s.list {
		byFile[s.list[i].File] = append(byFile[s.list[i].File], i)
	}
	replace := map[string]string{}
	var errs []error
	n := 0
	write := func(name, text string) {
		n++
		file := filepath.Join(s.dir, strconv.Itoa(n)+".go")
		errs = append(errs, os.WriteFile(file, []byte(text), 0o600))
		replace[filepath.Join(s.root, filepath.FromSlash(name))] = file
	}
	for _, name := range sortedKeys(byFile) {
		text, pkg, err := s.broken(name, byFile[name])
		errs = append(errs, err)
		write(name, text)
		write(path.Join(path.Dir(name), "break_number.go"), "package "+pkg+"\n\nimport (\n\t\"os\"\n\t\"strconv\"\n)\n\n"+
			"var breakNumber, _ = strconv.Atoi(os.Getenv(\""+environment+"\"))\n")
	}
	return replace, errors.Join(errs...)
}

func sortedKeys[V any](m map[string]V) []string {
	ks := make([]string, 0, len(m))
	for k := range m {
		ks = append(ks, k)
	}
	slices.Sort(ks)
	return ks
}

// broken returns the text of a file in which each function calls its broken copies
// when their number is asked for, and the name of its package.
func (s *Suite) broken(name string, breaks []int) (text, pkg string, err error) {
	type edit struct {
		at   int
		text string
	}
	var edits []edit
	var copies strings.Builder
	for _, i := range breaks {
		b := &s.list[i]
		var at int
		if text, at, err = b.find(s.root); err != nil {
			return "", "", err
		}
		set := token.NewFileSet()
		file, err := parser.ParseFile(set, name, text, parser.SkipObjectResolution)
		if err != nil {
			return "", "", fmt.Errorf("breaks: %w", err)
		}
		pkg = file.Name.Name
		offset := func(p token.Pos) int { return set.Position(p).Offset }
		k := slices.IndexFunc(file.Decls, func(d ast.Decl) bool {
			f, ok := d.(*ast.FuncDecl)
			return ok && f.Body != nil && offset(f.Body.Pos()) < at && at+len(b.Old) <= offset(f.End())
		})
		if k < 0 {
			return "", "", fmt.Errorf("breaks: %s: %q is not within a function", b.File, b.Old)
		}
		f := file.Decls[k].(*ast.FuncDecl)
		number := fmt.Sprintf("_break%d", i+1)
		call, err := callOf(f, number)
		if err != nil {
			return "", "", fmt.Errorf("breaks: %s: %q: %w", b.File, b.Old, err)
		}
		edits = append(edits, edit{offset(f.Body.Lbrace) + 1, fmt.Sprintf(" if breakNumber == %d { %s }; ", i+1, call)})
		from, nameEnd, end := offset(f.Pos()), offset(f.Name.End()), offset(f.End())
		copies.WriteString("\n" + text[from:nameEnd] + number + text[nameEnd:at] + b.New + text[at+len(b.Old):end] + "\n")
	}
	slices.SortStableFunc(edits, func(a, b edit) int { return cmp.Compare(b.at, a.at) })
	for _, e := range edits { // the last first
		text = text[:e.at] + e.text + text[e.at:]
	}
	return text + copies.String(), pkg, nil
}

// callOf calls the copy of a function with the function's own arguments.
func callOf(f *ast.FuncDecl, suffix string) (string, error) {
	call := f.Name.Name + suffix
	if f.Recv != nil {
		if len(f.Recv.List[0].Names) == 0 {
			return "", errors.New("the receiver has no name")
		}
		call = f.Recv.List[0].Names[0].Name + "." + call
	}
	var args []string
	for _, p := range f.Type.Params.List {
		if len(p.Names) == 0 {
			return "", errors.New("a parameter has no name")
		}
		for _, n := range p.Names {
			if n.Name == "_" {
				return "", errors.New("a parameter has no name")
			}
			arg := n.Name
			if _, variadic := p.Type.(*ast.Ellipsis); variadic {
				arg += "..."
			}
			args = append(args, arg)
		}
	}
	call += "(" + strings.Join(args, ", ") + ")"
	if f.Type.Results == nil {
		return call + "; return", nil
	}
	return "return " + call, nil
}

// Compile reports what of the breaks does not compile.
func (s *Suite) Compile(ctx context.Context) error {
	packages := map[string]bool{}
	for i := range s.list {
		packages["./"+path.Dir(s.list[i].File)] = true
	}
	cmd := exec.CommandContext(ctx, "go", append([]string{"build", "-gcflags=-e",
		"-overlay=" + filepath.Join(s.dir, "overlay.json")}, sortedKeys(packages)...)...)
	cmd.Dir = s.root
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("breaks: %w\n%s", err, out)
	}
	return nil
}

// build makes the test program of a package.
func (s *Suite) build(ctx context.Context, pkg string) (program, error) {
	p := program{dir: filepath.Join(s.root, filepath.FromSlash(pkg)),
		file:  filepath.Join(s.dir, strings.NewReplacer("/", "-", ".", "root").Replace(pkg)+".test"),
		flags: []string{"-test.failfast", "-test.timeout=5m"}}
	cmd := exec.CommandContext(ctx, "go", "test", "-c", "-vet=off", "-ldflags=-s -w",
		"-overlay="+filepath.Join(s.dir, "overlay.json"), "-o", p.file, "./"+pkg)
	cmd.Dir = s.root
	if out, err := cmd.CombinedOutput(); err != nil {
		return p, fmt.Errorf("breaks: %s: %w\n%s", pkg, err, out)
	}
	// Tests of the source text see nothing of a break.
	p.flags = append(p.flags, "-test.skip=Pure|Imports|PackageComments|Ceilings|Findings|Idioms|KindsMean")
	tests, err := filepath.Glob(filepath.Join(p.dir, "*_test.go"))
	for _, t := range tests {
		data, e := os.ReadFile(t)
		if err = errors.Join(err, e); bytes.Contains(data, []byte("\"pgregory.net/rapid\"")) {
			p.flags, p.drawing = append(p.flags, "-rapid.nofailfile"), true
			break
		}
	}
	return p, err
}

var failed = regexp.MustCompile(`(?m)^\s*--- FAIL: (\S+)`)

// Try reports whether the tests notice the i-th break, and which one did. An error says
// that they could not be asked.
func (s *Suite) Try(ctx context.Context, i int) (noticed bool, by string, err error) {
	own := path.Dir(s.list[i].File)
	for _, pkg := range append([]string{own}, also[own]...) {
		p := s.programs[pkg]
		if p == nil {
			built, err := s.build(ctx, pkg)
			if err != nil {
				return false, "", err
			}
			p = &built
			s.programs[pkg] = p
			if fails, by, err := s.ask(ctx, p.few(), -1); fails || err != nil {
				return false, "", errors.Join(err, fmt.Errorf("breaks: %s: %s: %w", pkg, by, ErrFailsAnyway))
			}
		}
		if p.drawing { // most breaks are noticed by a few draws, or by other tests
			if noticed, by, err = s.ask(ctx, p.few(), i); noticed || err != nil {
				return noticed, by, err
			}
		}
		if noticed, by, err = s.ask(ctx, *p, i); noticed || err != nil {
			return noticed, by, err
		}
	}
	return false, "", nil
}

// few is a program that draws less.
func (p *program) few() program {
	few := *p
	if p.drawing {
		few.flags = append(slices.Clone(p.flags), "-rapid.checks=10")
	}
	return few
}

// ask runs a test program with the i-th break.
func (s *Suite) ask(ctx context.Context, p program, i int) (noticed bool, by string, err error) {
	cmd := exec.CommandContext(ctx, p.file, p.flags...)
	cmd.Dir = p.dir
	cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%d", environment, i+1))
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	switch {
	case ctx.Err() != nil:
		return false, "", ctx.Err()
	case err == nil:
		return false, "", nil
	case !errors.As(err, &exit):
		return false, "", fmt.Errorf("breaks: %w", err)
	}
	names := failed.FindAllStringSubmatch(string(out), -1)
	if len(names) == 0 {
		return true, "the end of the test program", nil
	}
	slices.SortFunc(names, func(a, b []string) int { return cmp.Compare(len(b[1]), len(a[1])) })
	return true, names[0][1], nil
}
