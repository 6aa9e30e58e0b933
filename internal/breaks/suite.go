package breaks

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// Suite is a number of breaks with the test programs that try them, which are built
// when they are needed. It is for one Try at a time.
type Suite struct {
	list     []Break
	root     string
	dir      string                 // of the overlays and the programs
	programs map[[2]string]*program // by the package that is broken and the one whose tests are asked
}

// also are packages whose tests are asked besides the broken one's own.
var also = map[string][]string{
	".":    {"internal/years"},
	"site": {"examples/provision/internal/program"},
}

// Tests of the source text, and those that build it anew, see nothing of a break. The
// slow ones, and those that draw much, are asked last.
const (
	blind = "Pure|Imports|PackageComments|Ceilings|Findings|Idioms|KindsMean|OutsideModule"
	slow  = "^(TestCrash|TestPromises|TestStability|TestNilOptions|TestUndo|ExampleApply|TestLostAnswers|" +
		"TestNobodySleeps|TestContextBeingUpdatedIsNotTouched|TestRealServers|TestRestartInTheNight|TestKill)$"
)

// ErrFailsAnyway says that a test fails without any break, so that nothing can be tried.
var ErrFailsAnyway = errors.New("it fails without any break")

// Prepare makes ready to try some breaks. An error says that one of them does not
// apply. Close removes what is built.
func Prepare(root string, list []Break) (*Suite, error) {
	dir, err := os.MkdirTemp("", "breaks")
	if err != nil {
		return nil, fmt.Errorf("breaks: %w", err)
	}
	s := &Suite{list: list, root: root, dir: dir, programs: map[[2]string]*program{}}
	if err := s.overlays(); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// Close removes what was built.
func (s *Suite) Close() error { return os.RemoveAll(s.dir) }

// Compile reports what of the breaks does not compile.
func (s *Suite) Compile(ctx context.Context) error {
	var errs []error
	for _, pkg := range s.packages() {
		cmd := exec.CommandContext(ctx, "go", "build", "-gcflags=-e", "-overlay="+s.overlay(pkg), "./"+pkg)
		cmd.Dir = s.root
		if out, err := cmd.CombinedOutput(); err != nil {
			errs = append(errs, fmt.Errorf("breaks: %w\n%s", err, out))
		}
	}
	return errors.Join(errs...)
}

// packages are the folders that have breaks.
func (s *Suite) packages() []string {
	var dirs []string
	for i := range s.list {
		dirs = append(dirs, path.Dir(s.list[i].File))
	}
	slices.Sort(dirs)
	return slices.Compact(dirs)
}

// Try reports whether the tests notice the i-th break, and which one did, in the form
// of [Break.By]. The test that is known to notice it is asked first and all others only
// when it does not. An error says that they could not be asked.
func (s *Suite) Try(ctx context.Context, i int) (noticed bool, by string, err error) {
	b := &s.list[i]
	own := path.Dir(b.File)
	pkgs := append([]string{own}, also[own]...)
	if b.By != "" {
		pkg, test := own, b.By
		if at, name, elsewhere := strings.Cut(b.By, " "); elsewhere {
			pkg, test = at, name
		}
		p, err := s.program(ctx, own, pkg)
		if err != nil {
			return false, "", err
		}
		if noticed, _, err := p.asked(ctx, only(test), i); noticed || err != nil {
			return noticed, b.By, err
		}
		if !slices.Contains(pkgs, pkg) {
			pkgs = append(pkgs, pkg)
		}
	}
	for _, quick := range []bool{true, false} {
		for _, pkg := range pkgs {
			p, err := s.program(ctx, own, pkg)
			if err != nil {
				return false, "", err
			}
			noticed, tests, err := p.asked(ctx, p.all(quick), i)
			if err != nil {
				return false, "", err
			}
			if noticed {
				by, err := p.alone(ctx, tests, i)
				if pkg != own {
					by = pkg + " " + by
				}
				return true, by, err
			}
		}
	}
	return false, "", nil
}

// program is the test program of a package.
type program struct {
	name      string
	dir, file string
	drawing   bool            // some tests draw their input, which costs most of the time
	sound     map[string]bool // by the flags: the tests pass when nothing is broken
}

// program builds the test program of a package with the breaks of another, or the same.
func (s *Suite) program(ctx context.Context, broken, pkg string) (*program, error) {
	if p := s.programs[[2]string{broken, pkg}]; p != nil {
		return p, nil
	}
	p := &program{name: pkg, dir: filepath.Join(s.root, filepath.FromSlash(pkg)), sound: map[string]bool{},
		file: filepath.Join(s.dir, fmt.Sprintf("%d.test", len(s.programs)))}
	cmd := exec.CommandContext(ctx, "go", "test", "-c", "-vet=off", "-ldflags=-s -w",
		"-overlay="+s.overlay(broken), "-o", p.file, "./"+pkg)
	cmd.Dir = s.root
	if out, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("breaks: %s: %w\n%s", pkg, err, out)
	}
	tests, err := filepath.Glob(filepath.Join(p.dir, "*_test.go"))
	if err != nil {
		return nil, fmt.Errorf("breaks: %w", err)
	}
	for _, t := range tests {
		data, err := os.ReadFile(t)
		if err != nil {
			return nil, fmt.Errorf("breaks: %w", err)
		}
		p.drawing = p.drawing || bytes.Contains(data, []byte("\"pgregory.net/rapid\""))
	}
	s.programs[[2]string{broken, pkg}] = p
	return p, nil
}

// all are the flags for all tests that can notice anything, or those of them that are
// quick, with few draws: most breaks are noticed by them.
func (p *program) all(quick bool) []string {
	skip := "-test.skip=" + blind
	if quick {
		skip += "|" + slow
	}
	flags := []string{skip}
	if p.drawing {
		flags = append(flags, "-rapid.nofailfile")
	}
	if p.drawing && quick {
		flags = append(flags, "-rapid.checks=10")
	}
	return flags
}

// only are the flags for one test, which may be part of another.
func only(test string) []string {
	levels := strings.Split(test, "/")
	for i, l := range levels {
		levels[i] = "^" + regexp.QuoteMeta(l) + "$"
	}
	return []string{"-test.run=" + strings.Join(levels, "/")}
}

// asked runs tests with the i-th break, after they have once passed without any.
func (p *program) asked(ctx context.Context, flags []string, i int) (noticed bool, tests []string, err error) {
	key := strings.Join(flags, " ")
	if !p.sound[key] {
		failed, tests, err := p.run(ctx, flags, -1)
		if err != nil {
			return false, nil, err
		}
		if failed {
			return false, nil, fmt.Errorf("breaks: %s: %s: %w", p.name, strings.Join(tests, ", "), ErrFailsAnyway)
		}
		p.sound[key] = true
	}
	if noticed, tests, err = p.run(ctx, flags, i); !noticed || err != nil {
		return false, nil, err
	}
	if err := p.stillSound(ctx, flags, tests); err != nil {
		return false, nil, err
	}
	return true, tests, nil
}

// stillSound runs the first of the tests that failed with a break once more without any: they
// would also fail on a disk that has become full since.
func (p *program) stillSound(ctx context.Context, flags, tests []string) error {
	if len(tests) > 0 {
		whole, _, _ := strings.Cut(tests[0], "/")
		flags = only(whole)
	}
	failed, tests, err := p.run(ctx, flags, -1)
	if err == nil && failed {
		err = fmt.Errorf("breaks: %s: %s: %w", p.name, strings.Join(tests, ", "), ErrFailsAnyway)
	}
	return err
}

// alone returns which of the tests notices the break when no other is run, and the
// first of them when none does.
func (p *program) alone(ctx context.Context, tests []string, i int) (string, error) {
	if len(tests) == 0 {
		return "", nil
	}
	for _, t := range tests {
		whole, _, part := strings.Cut(t, "/")
		for _, t := range slices.Compact([]string{t, whole}) {
			if noticed, _, err := p.asked(ctx, only(t), i); noticed {
				return t, nil
			} else if err != nil && !errors.Is(err, ErrFailsAnyway) {
				return "", err
			}
			if !part {
				break
			}
		}
	}
	return tests[0], nil
}

var (
	failing = regexp.MustCompile(`(?m)^\s*--- FAIL: (\S+)`)
	running = regexp.MustCompile(`(?m)^running tests:\s+(\S+)|\.((?:Test|Example|Fuzz)\w*)(?:\.func[\d.]+)?\(`)
)

// run runs tests with the i-th break, or none, and returns those that fail.
func (p *program) run(ctx context.Context, flags []string, i int) (failed bool, tests []string, err error) {
	cmd := exec.CommandContext(ctx, p.file, append([]string{"-test.failfast", "-test.timeout=5m"}, flags...)...)
	cmd.Dir = p.dir
	cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%d", environment, i+1))
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	switch {
	case ctx.Err() != nil:
		return false, nil, ctx.Err()
	case err == nil:
		return false, nil, nil
	case !errors.As(err, &exit), exit.ExitCode() < 0: // not begun, or killed by whoever wanted its memory
		return false, nil, fmt.Errorf("breaks: %s: %w", p.name, err)
	}
	for _, m := range failing.FindAllStringSubmatch(string(out), -1) {
		tests = append(tests, m[1])
	}
	// Parts before the whole.
	slices.SortFunc(tests, func(a, b string) int {
		return cmp.Or(cmp.Compare(strings.Count(b, "/"), strings.Count(a, "/")), cmp.Compare(a, b))
	})
	if m := running.FindStringSubmatch(string(out)); len(tests) == 0 && m != nil { // it came to a sudden end
		tests = []string{m[1] + m[2]}
	}
	return true, tests, nil
}
