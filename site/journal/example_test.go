package journal_test

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/site/journal"
)

func Example() {
	dir, err := os.MkdirTemp("", "journal")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)

	j, err := journal.Open(filepath.Join(dir, "journal"), nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer j.Close()
	for _, phase := range []schoolmail.JournalPhase{schoolmail.Intent, schoolmail.Done} {
		if err := j.Append(schoolmail.JournalEntry{Plan: "p1", Step: "create:a.muster", Effect: "create-account",
			Phase: phase}); err != nil {
			fmt.Println(err)
		}
	}
	err = j.Entries(func(e schoolmail.JournalEntry) bool {
		fmt.Println(e.Step, e.Effect, e.Phase)
		return true
	})
	fmt.Println(err)
	// Output:
	// create:a.muster create-account intent
	// create:a.muster create-account done
	// <nil>
}
