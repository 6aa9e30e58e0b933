package site_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/ictmedia/schoolmail/site"
	"github.com/ictmedia/schoolmail/site/sitetest"
)

// A site is opened and run, here on the simulators: the first run makes
// everything, the second finds nothing to do.
func Example() {
	if err := twice(); err != nil {
		fmt.Println(err)
	}
	// Output:
	//      6 contexts to create
	//     60 accounts to create
	// needs attention: false
	// Nothing to do.
	// needs attention: false
}

func twice() error {
	sb, err := sitetest.Start(&sitetest.Options{People: 60})
	if err != nil {
		return err
	}
	defer sb.Close()
	dir, err := os.MkdirTemp("", "example-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if err := sb.District.Export(nil).WriteDir(dir); err != nil {
		return err
	}
	open, err := site.Open(sb.Settings(dir, filepath.Join(dir, "state")), nil)
	if err != nil {
		return err
	}
	defer open.Close()
	for range 2 {
		acts, err := open.Run(context.Background(), &site.RunOptions{Day: sb.District.Today(), Apply: true})
		if err != nil {
			return err
		}
		fmt.Print(acts[0].Plan.Summary())
		fmt.Println("needs attention:", acts[0].NeedsAttention())
	}
	return nil
}
