package spool

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// model is what one message must look like at the target.
type model struct {
	delivered, removed bool // removed by the user at the target
	last, have         map[string]bool
}

func set(flags []string) map[string]bool {
	m := map[string]bool{}
	for _, f := range flags {
		m[f] = true
	}
	return m
}

// Random changes at both sides between runs, some of which are killed at a
// random change: the target is what the rules say, and nothing is there twice.
func TestRandom(t *testing.T) {
	t.Parallel()
	all := []string{`\Seen`, `\Answered`, `\Flagged`, `\Draft`, `\Deleted`, "a", "b", "NonJunk"}
	for seed := range uint64(12) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel()
			rnd := rand.New(rand.NewPCG(seed, 1))
			w := newWorld(t)
			w.opt.MaxDeleted = 1
			l := layouts[[]string{"2.4", "2.5", "3.6"}[rnd.IntN(3)]]
			box := &fake{validity: 77, next: 1}
			models := map[uint32]*model{}
			some := func() (out []string) {
				for _, f := range all {
					if rnd.IntN(4) == 0 {
						out = append(out, f)
					}
				}
				return out
			}
			for round := range 6 {
				for range rnd.IntN(6) {
					box.add(fmt.Sprintf("Subject: %d\r\n\r\n%s\r\n", rnd.IntN(5), strings.Repeat("x", rnd.IntN(100))), some()...)
					models[box.next-1] = &model{}
				}
				if rnd.IntN(3) == 0 {
					box.next++ // a message that came and went
				}
				for i := range box.msgs {
					switch m := &box.msgs[i]; rnd.IntN(8) {
					case 0:
						m.flags = some()
					case 1:
						m.gone = true
					}
				}
				if rnd.IntN(2) == 0 { // the expunged ones leave the disk
					box.msgs = slices.DeleteFunc(box.msgs, func(m fakeMessage) bool { return m.gone })
				}
				box.write(t, w.root, "anna", l)
				if rnd.IntN(2) == 0 {
					w.killAt(rnd.IntN(40))
					w.run(t)
					w.opt.fault = nil
				}
				res := w.convert(t)
				if len(res.Problems) > 0 || res.Total.Renumbered > 0 {
					t.Fatalf("round %d: %+v", round, res)
				}
				var want []string
				for _, m := range box.msgs {
					if m.gone {
						continue
					}
					md, now := models[m.uid], set(m.flags)
					if !md.delivered {
						md.delivered, md.have = true, set(m.flags)
					}
					for _, f := range all {
						if md.last != nil && now[f] != md.last[f] {
							md.have[f] = now[f]
						}
					}
					md.last = now
					if !md.removed {
						shown := m
						shown.flags = slices.DeleteFunc(slices.Clone(all), func(f string) bool { return !md.have[f] })
						want = append(want, (&fake{msgs: []fakeMessage{shown}}).lines()[0])
					}
				}
				want = append(want, fmt.Sprintf("V%d N%d", box.validity, box.next))
				if d := cmp.Diff(want, readMaildir(t, w.dir(""))); d != "" {
					t.Fatalf("round %d: (-model +target)\n%s", round, d)
				}
				userAtTarget(t, rnd, w.dir(""), models)
			}
		})
	}
}

// userAtTarget removes messages and changes system flags, as Dovecot does it.
func userAtTarget(t *testing.T, rnd *rand.Rand, dir string, models map[uint32]*model) {
	t.Helper()
	entries, err := os.ReadDir(filepath.Join(dir, "cur"))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		var date, uid uint32
		fmt.Sscanf(e.Name(), "%d.U%dV", &date, &uid)
		file := filepath.Join(dir, "cur", e.Name())
		switch rnd.IntN(10) {
		case 0:
			os.Remove(file)
			models[uid].removed = true
		case 1:
			base, letters := splitFlags(e.Name())
			flag := systemFlags[rnd.IntN(len(systemFlags))]
			if have := models[uid].have; have[flag.name] {
				letters = strings.ReplaceAll(letters, string(flag.letter), "")
				have[flag.name] = false
			} else {
				letters += string(flag.letter)
				have[flag.name] = true
			}
			if err := os.Rename(file, filepath.Join(dir, withFlags(base, []byte(letters)))); err != nil {
				t.Fatal(err)
			}
		}
	}
}
