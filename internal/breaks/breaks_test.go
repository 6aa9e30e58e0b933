package breaks

import (
	"errors"
	"flag"
	"math/rand/v2"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"
)

var (
	seed = flag.Uint64("seed", 0, "of the breaks that are tried, printed; 0: the number of the day")
	few  = flag.Int("n", 10, "breaks that are tried")
)

// TestBreaksApply holds that the list keeps up with the code.
func TestBreaksApply(t *testing.T) {
	t.Parallel()
	root, err := Root()
	if err != nil {
		t.Fatal(err)
	}
	s := &Suite{list: All(), root: root, dir: t.TempDir()}
	if err := s.overlays(); err != nil {
		t.Error(err)
	}
	if n := len(All()); n < 120 {
		t.Errorf("%d breaks", n)
	}
	for _, b := range All() {
		if b.Promise == "" {
			t.Errorf("%s: %q breaks no promise", b.File, b.Old)
		}
	}
}

// TestBreaksCompile holds that each of them can be tried on the day it is drawn.
func TestBreaksCompile(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("go"); err != nil || testing.Short() {
		t.Skip("needs the go command and some time")
	}
	root, err := Root()
	if err != nil {
		t.Fatal(err)
	}
	suite, err := Prepare(root, All())
	if err != nil {
		t.Fatal(err)
	}
	defer suite.Close()
	if err := suite.Compile(t.Context()); err != nil {
		t.Error(err)
	}
}

// TestBreaksAreNoticed tries a few breaks, of the planner, of Apply, of escada and of
// site in turn: a survivor that nobody meant fails.
func TestBreaksAreNoticed(t *testing.T) {
	if _, err := exec.LookPath("go"); err != nil || testing.Short() {
		t.Skip("needs the go command and some time")
	}
	root, err := Root()
	if err != nil {
		t.Fatal(err)
	}
	if *seed == 0 {
		*seed = uint64(time.Now().Unix() / 86400)
	}
	list := draw(*seed, *few)
	t.Logf("-seed %d: %d of %d breaks", *seed, len(list), len(All()))
	suite, err := Prepare(root, list)
	if err != nil {
		t.Fatal(err)
	}
	defer suite.Close()
	untried := 0
	for i, b := range list {
		noticed, by, err := suite.Try(t.Context(), i)
		switch {
		case errors.Is(err, ErrFailsAnyway): // which the package's own run reports
			t.Log(err)
			untried++
		case err != nil:
			t.Error(err)
		case noticed:
			t.Logf("noticed by %s: %s: %s", by, b.File, b.Promise)
		case b.Meant != "":
			t.Logf("not noticed: %s: %s; that is meant: %s", b.File, b.Promise, b.Meant)
		default:
			t.Errorf("no test notices (-seed %d): %s: %s\n- %s\n+ %s", *seed, b.File, b.Promise, b.Old, b.New)
		}
	}
	if untried > len(list)/2 {
		t.Errorf("-seed %d: %d of %d breaks could not be tried", *seed, untried, len(list))
	}
}

// TestShare holds that the list says of nearly all breaks which test noticed them. Those
// that are new and were not tried yet do not count; the command tries them.
func TestShare(t *testing.T) {
	t.Parallel()
	noticed, meant, untried := 0, 0, 0
	for _, b := range All() {
		switch {
		case b.Untried():
			untried++
			t.Logf("never tried: %s: %s", b.File, b.Promise)
		case b.By != "":
			noticed++
		default:
			meant++
		}
	}
	t.Logf("%d breaks are listed: %d are noticed, %d survive, which is meant, %d were never tried", len(All()), noticed,
		meant, untried)
	t.Logf("%.1f %% of those tried are noticed", 100*float64(noticed)/float64(noticed+meant))
	if 100*noticed < 97*(noticed+meant) {
		t.Error("less than 97 % are noticed")
	}
}

func TestRecord(t *testing.T) {
	t.Parallel()
	const list = "@ a.go: one\n-x\n+y\n\n@ b.go: two\n= TestOld\n! meant\n-x\n+y\n\n@ b.go: three\n= TestKept\n-x\n+y\n"
	const want = "@ a.go: one\n= p TestNew/part\n-x\n+y\n\n@ b.go: two\n= TestNew\n! meant\n-x\n+y\n\n" +
		"@ b.go: three\n= TestKept\n-x\n+y\n"
	got := record(list, []Break{{File: "a.go", Promise: "one", New: "y", By: "p TestNew/part"},
		{File: "b.go", Promise: "two", New: "y", By: "TestNew"}, {File: "c.go", Promise: "three", New: "y", By: "TestNew"}})
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// applying are the files of Apply.
var applying = []string{"apply.go", "steps.go", "transfer.go", "history.go", "forbidden.go"}

// draw draws n of the breaks that were tried before, from each of the four parts in turn.
func draw(seed uint64, n int) []Break {
	var parts [4][]Break
	for _, b := range All() {
		dir, _, within := strings.Cut(b.File, "/")
		switch {
		case b.Untried():
		case slices.Contains(applying, b.File):
			parts[1] = append(parts[1], b)
		case !within:
			parts[0] = append(parts[0], b)
		case dir == "escada":
			parts[2] = append(parts[2], b)
		case dir == "site":
			parts[3] = append(parts[3], b)
		}
	}
	random := rand.New(rand.NewPCG(seed, 0))
	for _, list := range parts {
		random.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
	}
	var drawn []Break
	for i := range parts[0] {
		for _, list := range parts {
			if i < len(list) && len(drawn) < n {
				drawn = append(drawn, list[i])
			}
		}
	}
	return drawn
}

// TestDraw holds that every part of the list has its turn.
func TestDraw(t *testing.T) {
	t.Parallel()
	for seed := range uint64(20) {
		dirs := map[string]int{}
		for _, b := range draw(seed, 10) {
			dir, _, within := strings.Cut(b.File, "/")
			if !within {
				dir = map[bool]string{true: "Apply", false: "planner"}[slices.Contains(applying, b.File)]
			}
			dirs[dir]++
		}
		for _, part := range []string{"planner", "Apply", "escada", "site"} {
			if dirs[part] < 2 {
				t.Errorf("seed %d: %v", seed, dirs)
			}
		}
	}
}
