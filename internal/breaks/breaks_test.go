package breaks

import (
	"context"
	"flag"
	"math/rand/v2"
	"os/exec"
	"path"
	"slices"
	"testing"
	"time"
)

var (
	seed = flag.Uint64("seed", 3, "of the breaks that are tried, printed; 0: one by the clock")
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
	if _, err := s.overlay(); err != nil {
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

// TestBreaksAreNoticed tries a few breaks of one package: a survivor that nobody
// meant fails. It takes less than a minute; on a machine that is busy with other
// things it gives up.
func TestBreaksAreNoticed(t *testing.T) {
	if _, err := exec.LookPath("go"); err != nil || testing.Short() {
		t.Skip("needs the go command and some time")
	}
	root, err := Root()
	if err != nil {
		t.Fatal(err)
	}
	if *seed == 0 {
		*seed = uint64(time.Now().UnixNano())
	}
	t.Logf("-seed %d", *seed)
	list := slices.DeleteFunc(All(), func(b Break) bool { return b.Untried })
	rand.New(rand.NewPCG(*seed, 0)).Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
	first := path.Dir(list[0].File)
	list = slices.DeleteFunc(list, func(b Break) bool { return path.Dir(b.File) != first })
	list = list[:min(*few, len(list))]
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	suite, err := Prepare(ctx, root, list)
	if ctx.Err() != nil {
		t.Skip("the machine is too busy to build the tests")
	} else if err != nil {
		t.Fatal(err)
	}
	defer suite.Close()
	for i, b := range list {
		noticed, _, err := suite.Try(ctx, i)
		switch {
		case ctx.Err() != nil:
			t.Skipf("the machine is too busy: %d of %d were tried", i, len(list))
		case err != nil:
			t.Error(err)
		case !noticed && b.Meant == "":
			t.Errorf("no test notices (-seed %d): %s: %s\n- %s\n+ %s", *seed, b.File, b.Promise, b.Old, b.New)
		}
	}
}
