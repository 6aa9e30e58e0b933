package books

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/addressbook"
	"github.com/ictmedia/schoolmail/escada/escadatest"
	"github.com/ictmedia/schoolmail/internal/cli"
	"github.com/ictmedia/schoolmail/ox"
	"github.com/ictmedia/schoolmail/ox/appsuite"
	"github.com/ictmedia/schoolmail/ox/oxtest"
)

// model is a simulated Open-Xchange in this process with a made-up district, for
// measuring: it is reached without sockets, so that a virtual clock works.
type model struct {
	server   *oxtest.Server
	base     http.RoundTripper // reaches the server without a socket
	district *escadatest.District
	people   *people
	soap     *ox.Client
	contexts map[schoolmail.ContextID]*ox.ContextClient
	known    map[schoolmail.ContextID]map[string]bool // users made
	batch    int                                      // most items of a request; 0: the client's default
}

const (
	sandboxURL      = "http://ox.sandbox.invalid/"
	sandboxPassword = schoolmail.Secret("sandbox")
	serviceLogin    = "svc-books"
)

func newModel(ctx context.Context, size int, h oxtest.HTTPOptions) (*model, error) {
	d := escadatest.NewDistrict(1, &escadatest.Options{People: size})
	s := &model{
		server:   oxtest.New(oxtest.WithHTTP(&h), oxtest.WithoutCallLog()),
		district: d, people: newPeople(d),
		contexts: map[schoolmail.ContextID]*ox.ContextClient{},
		known:    map[schoolmail.ContextID]map[string]bool{},
	}
	s.base = s.server.HTTPClient().Transport
	var err error
	s.soap, err = ox.New([]string{sandboxURL + "webservices"}, ox.Credentials{Login: "oxadminmaster",
		Password: "secret"}, &ox.Options{HTTPClient: s.server.HTTPClient()})
	if err == nil {
		err = s.provision(ctx, s.people.accounts(d))
	}
	if err != nil {
		s.server.Close()
		return nil, err
	}
	return s, nil
}

// provision makes the contexts and users that are not there yet.
func (s *model) provision(ctx context.Context, accounts []schoolmail.Account) error {
	byContext := map[schoolmail.ContextID][]schoolmail.Account{}
	for _, a := range accounts {
		byContext[a.Context] = append(byContext[a.Context], a)
	}
	for _, c := range slices.Sorted(maps.Keys(byContext)) {
		if s.contexts[c] != nil {
			continue
		}
		admin := ox.NewUser{Name: "oxadmin", DisplayName: "Admin", GivenName: "Ox", FamilyName: "Admin",
			PrimaryEmail: fmt.Sprintf("oxadmin%d@schulen.example", c), Password: sandboxPassword, AccessName: "all"}
		if _, err := s.soap.Contexts.Create(ctx, ox.NewContext{ID: c, Name: fmt.Sprintf("schulen%d", c),
			Admin: admin}); err != nil {
			return err
		}
		s.contexts[c] = s.soap.Context(c, ox.Credentials{Login: "oxadmin", Password: sandboxPassword})
		s.known[c] = map[string]bool{}
		if err := s.addUser(ctx, c, serviceLogin, "Adressbuch-Dienst", fmt.Sprintf("svc-books%d@schulen.example", c),
			"groupware_standard"); err != nil {
			return err
		}
	}
	g, ctx := errgroup.WithContext(ctx)
	for c, list := range byContext {
		g.Go(func() error {
			for _, a := range list {
				if s.known[c][a.Username] {
					continue
				}
				if err := s.addUser(ctx, c, a.Username, a.Username, a.Mail, "webmail"); err != nil {
					return err
				}
				s.known[c][a.Username] = true
			}
			return nil
		})
	}
	return g.Wait()
}

func (s *model) addUser(ctx context.Context, c schoolmail.ContextID, login, display, mail, access string) error {
	_, err := s.contexts[c].Users.Create(ctx, ox.NewUser{
		Name: login, DisplayName: display, GivenName: "G", FamilyName: "F", PrimaryEmail: mail, Password: sandboxPassword,
		AccessName: access,
	})
	return err
}

// login opens a session of the service account in each context.
func (s *model) login(ctx context.Context, rate appsuite.Rate, transport http.RoundTripper) (*oxAccess, error) {
	cred := map[schoolmail.ContextID]appsuite.Credentials{}
	for c := range s.contexts {
		cred[c] = appsuite.Credentials{Name: fmt.Sprintf("%s@schulen%d", serviceLogin, c), Password: sandboxPassword}
	}
	return openOX(ctx, sandboxURL+"ajax/", cred, &appsuite.Options{Rate: rate, BatchSize: s.batch,
		HTTPClient: &http.Client{Transport: transport}})
}

// oxAccess holds a session for each context.
type oxAccess struct {
	client   *appsuite.Client
	sessions []*appsuite.Session
	stores   map[schoolmail.ContextID]addressbook.Store
}

// openOX logs in to all contexts. A context that cannot be logged in to gets a
// store that says so, and so does not stand in the way of the others.
func openOX(ctx context.Context, url string, cred map[schoolmail.ContextID]appsuite.Credentials,
	opts *appsuite.Options) (*oxAccess, error) {
	client, err := appsuite.New(url, opts)
	if err != nil {
		return nil, &cli.UsageError{Err: err}
	}
	a := &oxAccess{client: client, stores: map[schoolmail.ContextID]addressbook.Store{}}
	ids := slices.Sorted(maps.Keys(cred))
	sessions, refused := make([]*appsuite.Session, len(ids)), make([]error, len(ids))
	var group errgroup.Group // a context that is waited for does not keep the others waiting
	for i, c := range ids {
		group.Go(func() error {
			sessions[i], refused[i] = client.Login(ctx, cred[c])
			return nil
		})
	}
	_ = group.Wait() // errors are in refused
	for i, c := range ids {
		if refused[i] != nil {
			a.stores[c] = noStore{refused[i]}
			continue
		}
		a.sessions = append(a.sessions, sessions[i])
		if a.stores[c], err = addressbook.NewStore(sessions[i], nil); err != nil {
			return nil, errors.Join(err, a.close())
		}
	}
	return a, nil
}

// noStore is a context that cannot be reached.
type noStore struct{ err error }

func (s noStore) Load(context.Context) (addressbook.Snapshot, error) {
	return addressbook.Snapshot{}, s.err
}

func (s noStore) Reload(context.Context, addressbook.Snapshot, []string) (addressbook.Snapshot, error) {
	return addressbook.Snapshot{}, s.err
}

func (s noStore) Write(context.Context, []addressbook.Op) ([]addressbook.Result, error) {
	return nil, s.err
}

func (s noStore) Fill(context.Context, string, []addressbook.Entry) ([]addressbook.Result, error) {
	return nil, s.err
}

// close logs out: a session that is left open counts against the account for an hour.
func (a *oxAccess) close() error {
	var errs []error
	for _, s := range a.sessions {
		errs = append(errs, s.Logout(context.Background()))
	}
	return errors.Join(errs...)
}

// rules are the default rules with the district's names of schools.
func (s *model) rules() addressbook.Rules {
	rules := addressbook.DefaultRules()
	for _, school := range s.district.Schools() {
		rules.Schools = append(rules.Schools, addressbook.School{ID: school.ID, Name: school.Name})
	}
	return rules
}
