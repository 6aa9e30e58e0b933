package schoolmail

import (
	"fmt"
	"slices"
	"strings"
)

// livingAccounts finds newcomers who may have an account already: one without a record
// id, as all have on a site that is taken over. Nothing is made for them until the
// account has their record id, or a [Distinct] with record id and user name says that
// they are two.
func (f *facts) livingAccounts(n *newcomers, distinct map[[2]string]bool) {
	var like []*Account
	living, found := 0, 0
	for _, x := range f.sorted.accounts {
		a := &f.state.Accounts[x.at]
		if a.Key.ID != "" || !a.Role.Valid() {
			continue
		}
		living++
		if n.anyNamed(a.GivenName, a.FamilyName) {
			found++
			like = append(like, a)
		}
	}
	// Where most of those without a record id are found by their names, they are the
	// people of the export, whatever school the directory has them at.
	anywhere := 2*found >= living
	if len(like) == 0 {
		return
	}
	whose := map[RecordKey][]string{}
	for _, a := range like {
		who := someoneWith(a)
		for _, o := range n.called(f, a.GivenName, a.FamilyName) {
			if !distinct[[2]string{o.key.ID, a.Username}] && who.mayBe(&o, anywhere || len(a.Memberships) == 0) {
				whose[o.key] = append(whose[o.key], a.Username)
			}
		}
	}
	for _, p := range n.people {
		k := p.record.Key
		names := whose[k]
		if len(names) == 0 || f.doubts[k] != "" {
			continue
		}
		slices.Sort(names)
		f.doubts[k] = fmt.Sprintf("record %s could be that of account %s, which has no record id", k.ID,
			strings.Join(names, " or "))
		f.find("living-account", "%s: no account is made until it has this one; a distinct with a %q and the user name as b "+
			"says that they are two", f.doubts[k], k.ID).Key = k
	}
}
