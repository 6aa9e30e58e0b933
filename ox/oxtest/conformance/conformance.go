// Package conformance checks what a server does against what this project
// believes an OX does. Each belief is a [Fact]: one sentence, and a check that
// asks the server. The same facts run against the simulator (ox/oxtest), where all of
// them must hold, and against a real OX, where a refuted one says what to
// correct in the client, the simulator and the documentation.
//
// A run makes two scratch contexts, works in them only, and deletes them at the
// end. It never changes other contexts, and never starts two user copies at
// once, which can block a real server.
//
// To ask a real server, run this package's test with the variables
// SCHOOLMAIL_OX_URL, SCHOOLMAIL_OX_LOGIN, SCHOOLMAIL_OX_PASSWORD and
// SCHOOLMAIL_OX_CONTEXT set: the base of the SOAP services, the master admin,
// and the first of two context ids that are free.
package conformance

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/internal/soap"
	"github.com/ictmedia/schoolmail/ox"
)

// Target is the server to ask.
type Target struct {
	// URL is the base of the SOAP services, for example "https://ox.example/webservices".
	URL    string
	Master ox.Credentials
	// Context and Context+1 are made and deleted; they must be free.
	Context schoolmail.ContextID
	// HTTPClient sends the requests; nil is a default.
	HTTPClient *http.Client
}

// Fact is something that a server does.
type Fact struct {
	// ID is short and stable, for example "group-change-empties".
	ID string
	// Text says it in a sentence.
	Text  string
	check func(r *run) error
}

// Result is the outcome of one check.
type Result struct {
	Fact
	// Err is nil when the server confirmed the fact, and else says what it did instead.
	Err error
}

// Report lists the results in the order of [Facts].
type Report []Result

// Refuted returns the results that the server refuted.
func (r Report) Refuted() Report {
	var out Report
	for _, x := range r {
		if x.Err != nil {
			out = append(out, x)
		}
	}
	return out
}

// String lists all facts, one per line, the refuted ones with what happened.
func (r Report) String() string {
	var b strings.Builder
	for _, x := range r {
		if x.Err == nil {
			fmt.Fprintf(&b, "confirmed  %s: %s\n", x.ID, x.Text)
		} else {
			fmt.Fprintf(&b, "REFUTED    %s: %s: %v\n", x.ID, x.Text, x.Err)
		}
	}
	fmt.Fprintf(&b, "%d of %d facts confirmed\n", len(r)-len(r.Refuted()), len(r))
	return b.String()
}

// Facts lists what is checked.
func Facts() []Fact {
	var out []Fact
	for _, l := range [][]Fact{wireFacts, userFacts, changeFacts, accessFacts, groupFacts, contextFacts, copyFacts} {
		out = append(out, l...)
	}
	return out
}

// Check asks a server for all facts. The error is about the scratch contexts; a
// refuted fact is none.
func Check(ctx context.Context, t Target) (report Report, err error) {
	r, err := begin(ctx, t)
	if r != nil {
		defer func() { err = errors.Join(err, r.end()) }()
	}
	if err != nil {
		return nil, err
	}
	for _, f := range Facts() {
		report = append(report, Result{f, f.check(r)})
		if ctx.Err() != nil {
			return report, ctx.Err()
		}
	}
	return report, nil
}

const adminLogin, adminPassword = "conformance-admin", "Conf-2f9a"

// run is one run against a server.
type run struct {
	ctx      context.Context
	target   Target
	client   *ox.Client
	a, b     *ox.ContextClient
	made     []schoolmail.ContextID
	raw      *soap.Client
	received int64 // bytes of the last answer
	serial   int
}

func begin(ctx context.Context, t Target) (*run, error) {
	r := &run{ctx: ctx, target: t}
	var err error
	if r.client, err = ox.New([]string{t.URL}, t.Master, &ox.Options{HTTPClient: t.HTTPClient}); err != nil {
		return nil, err
	}
	if r.raw, err = soap.NewClient(t.URL, &soap.Options{HTTPClient: t.HTTPClient,
		Observe: func(x soap.Exchange) { r.received = x.Received }}); err != nil {
		return nil, err
	}
	for _, id := range []schoolmail.ContextID{t.Context, t.Context + 1} {
		mail := fmt.Sprintf("%s@c%d.example", adminLogin, id)
		_, err := r.client.Contexts.Create(ctx, ox.NewContext{ID: id, Name: fmt.Sprintf("conformance-%d", id),
			Admin: ox.NewUser{
				Name: adminLogin, DisplayName: "Conformance Admin", GivenName: "Conformance", FamilyName: "Admin",
				PrimaryEmail: mail, Password: adminPassword}})
		if err != nil {
			return r, fmt.Errorf("conformance: %w", err)
		}
		r.made = append(r.made, id)
	}
	admin := ox.Credentials{Login: adminLogin, Password: adminPassword}
	r.a, r.b = r.client.Context(t.Context, admin), r.client.Context(t.Context+1, admin)
	return r, nil
}

// end deletes what begin made, even when ctx has ended.
func (r *run) end() error {
	var errs []error
	for _, id := range r.made {
		if err := r.client.Contexts.Delete(context.WithoutCancel(r.ctx), id); err != nil {
			errs = append(errs, fmt.Errorf("conformance: context %d is left behind: %w", id, err))
		}
	}
	return errors.Join(errs...)
}

// errorf is fmt.Errorf; a fact that does not hold.
var errorf = fmt.Errorf

// name makes a login that no other fact uses.
func (r *run) name() string {
	r.serial++
	return fmt.Sprintf("conf%03d", r.serial)
}

// person is a new user of that name.
func (r *run) person(name string) ox.NewUser {
	return ox.NewUser{Name: name, DisplayName: "Display " + name, GivenName: "Given", FamilyName: "Family",
		PrimaryEmail: name + "@conformance.example", Password: "pw-1x9"}
}

// user makes a user in the first context.
func (r *run) user() (ox.User, error) { return r.a.Users.Create(r.ctx, r.person(r.name())) }

// fault returns the fault in err, or an error that says what it is instead.
func fault(err error) (*soap.Fault, error) {
	var f *soap.Fault
	switch {
	case err == nil:
		return nil, errors.New("accepted")
	case !errors.As(err, &f):
		return nil, err
	}
	return f, nil
}

// wants checks that err is a fault of one of the kinds whose text holds text, in
// upper or lower case.
func wants(err error, text string, kinds ...string) error {
	f, bad := fault(err)
	if bad != nil {
		return bad
	}
	for _, k := range kinds {
		if f.Kind == k && strings.Contains(strings.ToLower(f.Message), strings.ToLower(text)) {
			return nil
		}
	}
	return f
}
