package site

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/site/sitetest"
)

// Populated is a sandbox whose district has its accounts, OX users and
// mailboxes: what the first run of the main job leaves behind. Everybody's OX
// password is [sitetest.UserPassword].
type Populated struct {
	*sitetest.Sandbox
	Accounts []schoolmail.Account // of the directory
}

// StartPopulated starts a sandbox and does the main job in it.
func StartPopulated(ctx context.Context, opt *sitetest.Options) (_ *Populated, err error) {
	sb, err := sitetest.Start(opt)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			sb.Close()
		}
	}()
	dir, err := os.MkdirTemp("", "schoolmail-sandbox-*")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	export := filepath.Join(dir, "export")
	if err := os.Mkdir(export, 0o700); err != nil {
		return nil, err
	}
	if err := sb.District.Export(nil).WriteDir(export); err != nil {
		return nil, err
	}
	if err := sb.CreateContexts(); err != nil {
		return nil, err
	}
	set := SandboxSettings(sb, export, filepath.Join(dir, "state"))
	set.Groupware.NewPassword = func(string) (schoolmail.Secret, error) { return sitetest.UserPassword, nil }
	site, err := Open(set)
	if err != nil {
		return nil, err
	}
	defer site.Close()
	acts, err := Run(ctx, site, Command{Now: sb.District.Today(), Apply: true}, Quiet{})
	if err != nil {
		return nil, err
	}
	act := acts[len(acts)-1]
	if act.Err != nil {
		return nil, act.Err
	}
	if n := len(act.Plan.Steps) - act.Result.Count(schoolmail.StatusDone); n > 0 {
		return nil, fmt.Errorf("provision: %d steps of the sandbox's first run were not done", n)
	}
	p := &Populated{Sandbox: sb}
	p.Accounts, _, _, err = site.Directory(ctx)
	return p, err
}
