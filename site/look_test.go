package site_test

import (
	"context"
	"errors"
	"testing"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/internal/testlife"
	"github.com/ictmedia/schoolmail/site"
	"github.com/ictmedia/schoolmail/site/sitetest"
)

var errRubbish = errors.New("rubbish")

type rubbish struct{}

func (rubbish) Read(context.Context, schoolmail.Date) (schoolmail.Delivery, error) {
	return schoolmail.Delivery{}, errRubbish
}

// silent answers when nobody listens any more.
type silent struct{ site.Groupware }

func (silent) Observe(ctx context.Context, _ []schoolmail.ContextID) ([]schoolmail.Context, []schoolmail.Place, error) {
	<-ctx.Done()
	return nil, nil, ctx.Err()
}

// TestRubbishDeliveryWaitsForNobody: servers are read while the export is; when the
// export is of no use the run ends with that, whatever the servers are doing or say.
func TestRubbishDeliveryWaitsForNobody(t *testing.T) {
	t.Parallel()
	sb := testlife.Of(sitetest.Start(sitetest.WithPeople(20)))(t)
	s, err := site.Open(sb.Settings(), &site.Parts{Reader: rubbish{}, Groupware: silent{}})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	_, err = s.Run(t.Context(), &site.RunOptions{Day: sb.District.Today(), Apply: true})
	if bad, ok := errors.AsType[*site.InputError](err); !ok || bad.Err != errRubbish {
		t.Errorf("%v, want that the delivery is at fault", err)
	}
	if w := sb.Writes(); len(w) > 0 {
		t.Errorf("written: %v", w)
	}
}
