package ox

import "github.com/ictmedia/schoolmail"

// UserChange is what to write to a user. There is one way to say it for all
// fields:
//
//	nil            unchanged (on create: the server's default)
//	new("")        cleared
//	new("value")   set
//
// OX can clear texts only. Clearing PrimaryEmail, Language, TimeZone, IMAPLogin,
// IMAPServer, SMTPServer or a date is refused before the call, because the server
// would refuse or silently ignore it.
//
// Aliases are replaced as a whole and must hold the primary address, Email1 and
// DefaultSender; [UserChange.SetAddresses] fills in all of them. Attributes are
// merged. Password is unchanged when empty.
type UserChange struct {
	// Who it is.
	Name        *string // login name, unique in the context, upper and lower case differ
	DisplayName *string // unique in the context
	GivenName   *string
	MiddleName  *string
	FamilyName  *string
	Title       *string
	Suffix      *string
	Nickname    *string

	// Mail.
	PrimaryEmail          *string
	Email1                *string  // one of the addresses; the primary one unless changed alone
	Email2                *string  // free text, not an address of the mailbox
	Email3                *string  // as Email2
	Aliases               []string // all addresses of the mailbox, the primary one included; in no order
	DefaultSender         *string  // one of the addresses
	MailEnabled           *bool
	MailAccountName       *string // name of the primary mail account
	IMAPLogin             *string // login at the mail server; cannot be cleared
	IMAPServer            *string // host; cannot be cleared
	IMAPPort              *int    // 143 when nothing is stored; applied only together with IMAPServer
	SMTPServer            *string // as IMAPServer
	SMTPPort              *int    // 25 when nothing is stored; applied only together with SMTPServer
	SpamFilterEnabled     *bool
	LoadRemoteMailContent *bool
	UploadLimit           *int // bytes in all attachments of a mail, 0: no limit
	UploadLimitPerFile    *int // bytes in one attachment, 0: no limit
	DraftsFolder          *string
	SentFolder            *string
	SpamFolder            *string
	TrashFolder           *string
	ArchiveFolder         *string
	ConfirmedHamFolder    *string
	ConfirmedSpamFolder   *string

	// Settings.
	Password     schoolmail.Secret
	PasswordMech *string          // how the password is stored: "SHA-256", "BCRYPT", ...
	Language     *string          // for example "de_CH"
	TimeZone     *string          // for example "Europe/Zurich"
	Attributes   AttributesChange // by namespace ("config", ...) and key
	FolderTree   *int             // number of the folder tree of the old web interface

	// Storage.
	FilestoreID         *int // 0: the context's file store
	FilestoreName       *string
	MaxQuota            *int64  // MB in a file store of his own; -1: none of his own
	DriveFolderMode     *string // "default", "normal" or "none"; on create only
	ConvertDriveFolders *bool   // an action: converts the Drive folders

	// Picture.
	Image     []byte  // JPEG or PNG, at most 4194304 bytes; cannot be removed
	ImageType *string // "image/jpeg" or "image/png"; goes with Image

	// Contact data.
	Anniversary        *schoolmail.Date
	AssistantName      *string
	Birthday           *schoolmail.Date
	Branches           *string
	BusinessCategory   *string
	Categories         *string
	CellularTelephone1 *string
	CellularTelephone2 *string
	CityBusiness       *string
	CityHome           *string
	CityOther          *string
	CommercialRegister *string
	Company            *string
	CountryBusiness    *string
	CountryHome        *string
	CountryOther       *string
	Department         *string
	EmployeeType       *string
	FaxBusiness        *string
	FaxHome            *string
	FaxOther           *string
	Info               *string
	InstantMessenger1  *string
	InstantMessenger2  *string
	ManagerName        *string
	MaritalStatus      *string
	Note               *string
	NumberOfChildren   *string
	NumberOfEmployee   *string
	Position           *string
	PostalCodeBusiness *string
	PostalCodeHome     *string
	PostalCodeOther    *string
	Profession         *string
	RoomNumber         *string
	SalesVolume        *string
	SpouseName         *string
	StateBusiness      *string
	StateHome          *string
	StateOther         *string
	StreetBusiness     *string
	StreetHome         *string
	StreetOther        *string
	TaxID              *string
	TelephoneAssistant *string
	TelephoneBusiness1 *string
	TelephoneBusiness2 *string
	TelephoneCallback  *string
	TelephoneCar       *string
	TelephoneCompany   *string
	TelephoneHome1     *string
	TelephoneHome2     *string
	TelephoneIP        *string
	TelephoneISDN      *string
	TelephoneOther     *string
	TelephonePager     *string
	TelephonePrimary   *string
	TelephoneRadio     *string
	TelephoneTelex     *string
	TelephoneTTYTDD    *string
	URL                *string
	UserField01        *string
	UserField02        *string
	UserField03        *string
	UserField04        *string
	UserField05        *string
	UserField06        *string
	UserField07        *string
	UserField08        *string
	UserField09        *string
	UserField10        *string
	UserField11        *string
	UserField12        *string
	UserField13        *string
	UserField14        *string
	UserField15        *string
	UserField16        *string
	UserField17        *string
	UserField18        *string
	UserField19        *string
	UserField20        *string
}
