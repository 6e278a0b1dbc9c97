/// How a socket behaves. Give it to an initialiser; what is `nil` is left as the descriptor has it.
public struct Configuration: Sendable {
  /// What a write does when the call itself does not say.
  public var mode: WriteMode

  /// The longest that connecting to one address may take. A name may resolve to several, which are
  /// tried one after the other. Name resolution itself cannot be bounded in time.
  public var connectTimeout: Duration

  /// The longest that a write on a blocking descriptor waits without the peer taking a single byte
  /// (`SO_SNDTIMEO`). A new socket has no bound where this is `nil`.
  public var writeTimeout: Duration?

  /// The longest that a read on a blocking descriptor waits for the first byte (`SO_RCVTIMEO`). A new
  /// socket has no bound where this is `nil`.
  public var readTimeout: Duration?

  /// `TCP_NODELAY`: small writes leave at once.
  public var noDelay: Bool?

  /// `SO_KEEPALIVE`: a peer that has vanished is noticed on an idle connection.
  public var keepAlive: Bool?

  /// `SO_SNDBUF`, in bytes; the kernel doubles it and has limits of its own. Setting it ends TCP's own
  /// tuning of the send buffer.
  public var sendBufferSize: Int?

  /// The most bytes that zero-copy sends of this socket may have in flight, and so keep locked. A send
  /// that alone is larger goes when nothing else is in flight. At the limit `.automatic` copies and
  /// `.zeroCopy` waits, or throws `.inFlightLimit` on a non-blocking descriptor.
  public var maximumBytesInFlight: Int?

  /// What the sockets of this process may have in flight together; `nil` for no bound of that kind.
  public var budget: SendBudget?

  /// `TCP_USER_TIMEOUT`: the longest that what was sent may stay unacknowledged before the kernel gives the
  /// connection up, and with it the memory in flight (rule 29). TCP only; in milliseconds, rounded up.
  public var acknowledgementTimeout: Duration?

  /// The fewest bytes a second that the peer must acknowledge while a call waits for it. A call that has waited for
  /// two seconds below that throws `.peerTooSlow`. It tells a peer that trickles from one that is alive, which no
  /// time-out does. For TCP and UNIX sockets: of UDP and vsock the kernel tells only what has not left this machine
  /// yet, and nothing else counts there.
  public var leastRate: Int?

  /// What earlier sockets with this configuration have found out about the cost of zero copy on their paths, and
  /// where this one's findings go: `.automatic` begins with it. Give one to several configurations, so that they share it.
  public var experience: PathExperience

  /// Who hears what happens on the socket, for metrics and logs.
  public var observer: (any SocketObserver)?

  /// `UDP_SEGMENT`: cuts each send into datagrams of so many bytes, the last one shorter; 1 to 65,535. The socket
  /// must be of UDP: any other is refused with `.invalidArgument`, and `.segmentationUnavailable` is thrown where the
  /// system cannot. A call may say otherwise for its own send. `nil`: a send is one datagram.
  ///
  /// A segment has to fit a packet of the path (its MTU less 28 bytes of headers, 48 for IPv6), and a send must not be
  /// more than 65,507 bytes (65,527 over IPv6), nor more segments than the kernel makes of one: 64, and 128 from Linux
  /// 6.9 on. One send takes one notification, and costs little more than one datagram.
  public var segmentSize: Int?

  /// What is not named is as a connection wants it that moves large memory: automatic mode, ten seconds to
  /// connect to an address, a minute for a peer that takes nothing, no delay for small writes.
  public init(
    mode: WriteMode = .automatic,
    connectTimeout: Duration = .seconds(10),
    writeTimeout: Duration? = .seconds(60),
    readTimeout: Duration? = nil,
    noDelay: Bool? = true,
    keepAlive: Bool? = nil,
    sendBufferSize: Int? = nil,
    maximumBytesInFlight: Int? = nil,
    budget: SendBudget? = nil,
    acknowledgementTimeout: Duration? = nil,
    leastRate: Int? = nil,
    segmentSize: Int? = nil,
    experience: PathExperience = PathExperience(),
    observer: (any SocketObserver)? = nil
  ) {
    self.mode = mode
    self.connectTimeout = connectTimeout
    self.writeTimeout = writeTimeout
    self.readTimeout = readTimeout
    self.noDelay = noDelay
    self.keepAlive = keepAlive
    self.sendBufferSize = sendBufferSize
    self.maximumBytesInFlight = maximumBytesInFlight
    self.budget = budget
    self.acknowledgementTimeout = acknowledgementTimeout
    self.leastRate = leastRate
    self.segmentSize = segmentSize
    self.experience = experience
    self.observer = observer
  }
}
