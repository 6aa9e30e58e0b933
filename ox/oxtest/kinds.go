package oxtest

import (
	"github.com/ictmedia/schoolmail/ox/oxtest/internal/httpapi"
	"github.com/ictmedia/schoolmail/ox/oxtest/internal/soapapi"
	"github.com/ictmedia/schoolmail/ox/oxtest/internal/state"
	"github.com/ictmedia/schoolmail/ox/oxtest/internal/traffic"
)

// Call is one request that a [Server] answered, or is about to: service, operation,
// context, subject, times, outcome, sizes.
type Call = traffic.Call

// HTTPCall is a call of the HTTP API as recorded. Items of "multiple" are
// recorded one by one before the request that carried them.
type HTTPCall = httpapi.Call

// HTTPOptions set how the simulated HTTP API behaves. The zero value is OX App
// Suite 8.19 with the configuration it ships with.
type HTTPOptions = httpapi.Options

// Fault says which calls a [Failure] hits. Empty fields match everything.
type Fault = traffic.Fault

// Failure is something that goes wrong with a call. The zero value does nothing.
type Failure = traffic.Failure

// PersonalData is what a user owns beyond the account and the mail.
type PersonalData = state.PersonalData

// Conflict is the failure of a user write that waited too long for its context's lock.
var Conflict = traffic.Conflict

// Temporary is what OX answers shortly after its start.
var Temporary = traffic.Temporary

// Version says which release's interface a [Server] offers.
type Version = soapapi.Version

const (
	// Version8 is OX App Suite 8.19.
	Version8 = soapapi.Version8
	// Version710 is OX 7.10.6: the elements that came later (length and offset of
	// user lists, gabMode, resource permissions, images, two user fields) are
	// refused as unknown.
	Version710 = soapapi.Version710
)
