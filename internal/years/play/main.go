// Play lives through simulated years and prints how often what must never happen
// happened; with -identity, how many wrong ids pass and how many real changes are held.
package main

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"
	"time"

	"github.com/ictmedia/schoolmail/internal/years"
)

func main() {
	days := flag.Int("days", 9000, "days to live, in four districts together")
	seed := flag.Uint64("seed", 1, "of the first district")
	people := flag.Int("people", 160, "people in each district")
	identity := flag.Int("identity", 0, "instead: number of wrong ids in 20 years, half of them with birth dates")
	flag.Parse()
	play := func() (bool, error) { return live(*days, *seed, *people) }
	if *identity > 0 {
		play = func() (bool, error) { return identify(*identity, *seed, *people) }
	}
	well, err := play()
	if err != nil {
		fmt.Fprintln(os.Stderr, "play:", err)
		os.Exit(1)
	}
	if !well {
		os.Exit(1)
	}
}

func live(days int, seed uint64, people int) (bool, error) {
	// Renewed often and stale soon, but so that a busy machine is not taken for a dead one.
	total, writers := years.Writers(seed, 40, years.Pace{Renew: 200 * time.Millisecond, Stale: 4 * time.Second,
		Work: time.Second})
	proposed, spoilt := 0, 0
	lived, plans, steps, effects, lies := 0, 0, 0, 0, map[string]int{}
	for i := range 4 {
		l := years.NewLife(seed+uint64(i), people)
		for range (days + 3 - i) / 4 {
			if err := l.Day(); err != nil {
				return false, err
			}
		}
		total.Add(l.World.Harm)
		lived, plans, steps, effects = lived+l.Days, plans+l.Plans, steps+l.Steps, effects+l.World.Effects
		proposed += l.Proposed
		spoilt += l.Spoilt
		for name, n := range l.Lies {
			lies[name] += n
		}
	}
	fmt.Printf("%d days, %d plans, %d steps, %d effects\nexports that were wrong about people:",
		lived, plans, steps, effects)
	printCounts(lies)
	fmt.Printf("\n%d users in Open-Xchange spoilt by somebody else\n%d accounts of a living site proposed, "+
		"%d runs that competed have written\n\n%s", spoilt, proposed, writers, total)
	return total.Total() == 0, nil
}

func identify(injections int, seed uint64, people int) (bool, error) {
	well := true
	for i, births := range []bool{true, false} {
		v, err := years.Identity(seed+uint64(i), people, 20, injections/2, births)
		if err != nil {
			return false, err
		}
		fmt.Printf("20 years, birth dates in the export: %v\nwrong ids:", births)
		printCounts(v.Injected)
		fmt.Printf("passed: %d\nreal changes: %d\nof these held: %d\n", len(v.Passed), v.Real, len(v.Held))
		for _, x := range slices.Concat(v.Passed, v.Held) {
			fmt.Println("  ", x)
		}
		well = well && len(v.Passed) == 0 && len(v.Held)*1000 <= v.Real
	}
	return well, nil
}

func printCounts(m map[string]int) {
	for _, name := range slices.Sorted(maps.Keys(m)) {
		fmt.Printf(" %s %d", name, m[name])
	}
	fmt.Println()
}
