package sitetest_test

import (
	"testing"

	"github.com/ictmedia/schoolmail/internal/testlife"
	"github.com/ictmedia/schoolmail/site/sitetest"
)

// The other example programs start from a district that has everything.
func TestStartPopulated(t *testing.T) {
	t.Parallel()
	p := testlife.Of(sitetest.StartPopulated(t.Context(), sitetest.WithPeople(60)))(t)
	n := 0
	for _, a := range p.Accounts {
		if a.Key.Source == p.Policy.Source {
			n++
			if u, ok := p.OX.State().User(a.Context, a.Username); !ok || u.PrimaryEmail != a.Mail {
				t.Errorf("%s is not in context %d", a.Username, a.Context)
			}
		}
	}
	if n != 60 {
		t.Errorf("%d accounts", n)
	}
}
