// Run tries the deliberate breaks and prints those that no test notices.
package main

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/signal"
	"path"
	"strings"

	"github.com/ictmedia/schoolmail/internal/breaks"
)

func main() {
	file := flag.String("file", "", "only breaks of files whose name contains this")
	dir := flag.String("dir", "", "only breaks of the package in this folder, . being the root")
	untried := flag.Bool("untried", false, "only those of which the list does not say which test noticed them")
	record := flag.Bool("record", false, "write into the list which test noticed a break")
	n := flag.Int("n", 0, "only so many, drawn by the seed; 0: all")
	seed := flag.Uint64("seed", 1, "of the draw")
	verbose := flag.Bool("v", false, "also print which test notices a break")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	wanted := func(b *breaks.Break) bool {
		return strings.Contains(b.File, *file) && (*dir == "" || path.Dir(b.File) == *dir) && (b.Untried() || !*untried)
	}
	ok, err := run(ctx, wanted, *n, *seed, *verbose, *record)
	if err != nil {
		fmt.Fprintln(os.Stderr, "run:", err)
	}
	if !ok || err != nil {
		os.Exit(1)
	}
}

func run(ctx context.Context, wanted func(*breaks.Break) bool, n int, seed uint64, verbose, record bool) (bool, error) {
	root, err := breaks.Root()
	if err != nil {
		return false, err
	}
	var list []breaks.Break
	for _, b := range breaks.All() {
		if wanted(&b) {
			list = append(list, b)
		}
	}
	if n > 0 && n < len(list) {
		rand.New(rand.NewPCG(seed, 0)).Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
		list = list[:n]
	}
	suite, err := breaks.Prepare(root, list)
	if err != nil {
		return false, err
	}
	defer suite.Close()
	fmt.Printf("%d breaks are listed; %d are tried\n", len(breaks.All()), len(list))
	noticed, meant, fresh := 0, 0, 0
	for i, b := range list {
		seen, by, err := suite.Try(ctx, i)
		switch {
		case err != nil:
			return false, err
		case seen:
			if b.Untried() {
				fresh++
			}
			if verbose || by != b.By {
				fmt.Printf("noticed: %s: %s (%s)\n", b.File, b.Promise, by)
			}
			noticed++
			if record && by != b.By {
				b.By = by
				if err := breaks.Record(root, []breaks.Break{b}); err != nil {
					return false, err
				}
			}
		case b.Meant != "":
			meant++
			fmt.Printf("survives: %s: %s; that is meant: %s\n", b.File, b.Promise, b.Meant)
		default:
			fmt.Printf("SURVIVES: %s: %s\n\t- %s\n\t+ %s\n", b.File, b.Promise, b.Old, b.New)
		}
	}
	survive := len(list) - noticed
	fmt.Printf("%d breaks: %d noticed (%.1f %%), %d of them for the first time; %d survive, %d of them meant\n",
		len(list), noticed, 100*float64(noticed)/float64(max(1, len(list))), fresh, survive, meant)
	return survive == meant, nil
}
