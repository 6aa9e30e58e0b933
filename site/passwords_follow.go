package site

import (
	"bytes"
	"fmt"
	"maps"
	"slices"

	"github.com/ictmedia/schoolmail"
)

// followRenames puts the user names that people have now in the place of those before a
// rename, so that who hands a password out finds its person, and whoever is purged later
// is forgotten. It can be repeated.
func (s *Site) followRenames(act *Act) error {
	names := map[string]string{}
	follow := func(a *schoolmail.Account) {
		if a.Key.Source != s.policy.Source {
			return
		}
		for _, f := range a.Former {
			if f.Username != "" {
				names[f.Username] = a.Username
			}
		}
		delete(names, a.Username) // what it is now it may have been before
	}
	for i := range act.World.State.Accounts {
		follow(&act.World.State.Accounts[i])
	}
	for i := range act.Plan.Steps {
		if _, after := act.Plan.Steps[i].Accounts(); after != nil && act.done(i) {
			follow(after)
		}
	}
	if len(names) == 0 {
		return nil
	}
	for _, file := range []string{newPasswords, firstPasswords} {
		p, err := s.openPasswords(file)
		if err == nil {
			err = p.renamed(names)
		}
		if err != nil {
			return fmt.Errorf("initial passwords: user names: %w", err)
		}
	}
	return nil
}

// renamed gives people their new user names: in what is prepared, in the lists, and where
// it is said whose passwords are in files that are not taken apart.
func (p *passwords) renamed(names map[string]string) error {
	changed := false
	for _, old := range slices.Sorted(maps.Keys(p.prepared)) {
		now, r := names[old], p.prepared[old]
		if now == "" {
			continue
		}
		delete(p.prepared, old)
		if _, again := p.prepared[now]; !again {
			r.Username = now
			p.prepared[now] = r
		}
		changed = true
	}
	if changed {
		if err := p.save(); err != nil {
			return err
		}
	}
	err := p.eachLine(func(_ string, line []byte) []byte {
		if now := names[accountOf(line)]; now != "" {
			return bytes.Replace(line, []byte(accountOf(line)), []byte(now), 1)
		}
		return line
	})
	if err != nil {
		return err
	}
	index, err := p.index()
	if err != nil {
		return err
	}
	changed = false
	for _, users := range index {
		for i, old := range users {
			if now := names[old]; now != "" {
				users[i], changed = now, true
			}
		}
	}
	if !changed {
		return nil
	}
	return p.saveIndex(index)
}
