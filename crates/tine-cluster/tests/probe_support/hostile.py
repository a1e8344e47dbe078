"""A worker of the worst kind. Which kind, its argument says; it tells on standard output when its
deed is done, and then stays until it is killed."""
import array, json, os, select, signal, socket, struct, sys

KIND, PORT = sys.argv[1], int(sys.argv[2])
NUMBER = int(os.environ['NODE_CHANNEL_FD'])
ADVANCED = os.environ.get('NODE_CHANNEL_SERIALIZATION_MODE') == 'advanced'
channel = socket.socket(fileno=NUMBER)
signal.signal(signal.SIGPIPE, signal.SIG_IGN)


def line(value):
    return json.dumps(value).encode() + b'\n'


def cluster(**fields):
    return line({'cmd': 'NODE_CLUSTER', **fields})


def envelope(value, kind='net.Socket'):
    return line({'cmd': 'NODE_HANDLE', 'type': kind, 'msg': value})


def attempt(send):
    """What was sent, or None once the primary has closed the channel. It waits as long as it must:
    a primary that gets the channel itself as a socket makes it non-blocking."""
    while True:
        try:
            return send()
        except BlockingIOError:
            select.select([], [channel], [])
        except OSError:
            return None


def write(data):
    data = memoryview(data)
    while data:
        sent = attempt(lambda: channel.send(data))
        if sent is None:
            return False
        data = data[sent:]
    return True


def write_with(data, descriptors):
    rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array('i', descriptors))]
    sent = attempt(lambda: channel.sendmsg([data], rights))
    return sent is not None and write(data[sent:])


def read_what_is_there():
    try:
        while channel.recv(1 << 16, socket.MSG_DONTWAIT):
            pass
    except BlockingIOError:
        pass
    except OSError:
        pass


def say(text):
    # In one piece: others write there too.
    os.write(1, text.encode() + b'\n')


def done():
    say(f'done {os.getpid()}')


def stay():
    while True:
        signal.pause()


def read_for_ever():
    try:
        while channel.recv(1 << 16):
            pass
    except OSError:
        pass
    stay()


def some_descriptors():
    """A connection, one end of a pair, a listener, a file, a pipe, a device, the channel itself."""
    listener = socket.create_server(('127.0.0.1', 0))
    connection = socket.create_connection(listener.getsockname())
    pair = socket.socketpair()
    some_descriptors.kept = [listener, connection, pair]
    plain = os.open('/etc/passwd', os.O_RDONLY)
    device = os.open('/dev/zero', os.O_RDONLY)
    pipe = os.pipe()[0]
    return [connection.fileno(), pair[0].fileno(), listener.fileno(), plain, pipe, device, NUMBER]


write(cluster(act='online', seq=0)) if not ADVANCED else None

if KIND == 'garbage':
    if ADVANCED:
        write(b'\0\0\0\x10garbage, garbage')
    else:
        write(b'\xff\xfe\x00 no JSON \xc3\x28\n')
elif KIND == 'half':
    # The first half, and nothing ever after.
    write(b'\0\0\x03\xe8\xff\x0f"' if ADVANCED else b'{"half":')
elif KIND == 'length':
    write(b'\xff\xff\xff\xff')
elif KIND == 'long':
    if ADVANCED:
        write(struct.pack('>I', (1 << 20) + 1))
    else:
        write(b'"' + b'x' * (2 << 20))
elif KIND == 'deep':
    depth = 200_000
    if ADVANCED:
        body = (b'\xff\x0fo"\x03cmd"\x0cNODE_CLUSTER"\x01a' + b'A\x01' * depth + b'_'
                + b'$\x00\x01' * depth + b'{\x02')
        write(struct.pack('>I', len(body)) + body)
        done()
    else:
        write(b'{"cmd":"NODE_CLUSTER","act":' + b'[' * depth + b']' * depth + b'}\n')
        write(b'[' * depth + b']' * depth + b'\n')
elif KIND == 'tiny':
    for start in range(0, 1_000_000, 10_000):
        write(b''.join(b'%d\n' % number for number in range(start, start + 10_000)))
elif KIND == 'listening':
    # Events that a worker can make at will, and that are no messages.
    for start in range(0, 200_000, 1000):
        report = lambda port: cluster(act='listening', seq=1, address='127.9.9.9',
                                      port=port % 60_000, addressType=4, fd=None)
        write(b''.join(report(port) for port in range(start, start + 1000)))
elif KIND in ('handles', 'handles-unread'):
    descriptors = some_descriptors()
    for number in range(7000):
        if not write_with(envelope(number), [descriptors[number % len(descriptors)]]):
            break
        if KIND == 'handles':
            read_what_is_there()
elif KIND in ('keys', 'counts'):
    # Sockets that it says a server of its has accepted, to be asked about.
    connection = some_descriptors()[0]

    def keyed(key, value):
        return line({'cmd': 'NODE_HANDLE', 'type': 'net.Socket', 'key': key, 'msg': value})
    if KIND == 'keys':
        for number in range(200):
            write_with(keyed('k' * (1 << 20) + str(number), number), [connection])
            read_what_is_there()
        for number in range(20_000):
            write_with(keyed(f'4:127.0.0.1:{number}', number), [connection])
            read_what_is_there()
    else:
        write_with(keyed('key', 0), [connection])
        for number in range(20_000):
            write(line({'cmd': 'NODE_SOCKET_GET_COUNT', 'key': 'key'}))
            write(line({'cmd': 'NODE_SOCKET_NOTIFY_CLOSE', 'key': 'key'}))
            read_what_is_there()
elif KIND == 'bare':
    descriptors = some_descriptors()
    for number in range(7000):
        if not write_with(b'"bare"\n', [descriptors[number % len(descriptors)]]):
            break
elif KIND == 'several':
    descriptors = some_descriptors()
    for number in range(500):
        write_with(envelope(number), descriptors[:2])
        write_with(envelope(number), descriptors * 36)
        read_what_is_there()
elif KIND == 'without':
    # Says that there is a handle where there is none.
    for number in range(2000):
        write(envelope(number))
        read_what_is_there()
elif KIND == 'acks':
    for start in range(100):
        write((line({'cmd': 'NODE_HANDLE_ACK'}) + line({'cmd': 'NODE_HANDLE_NACK'})) * 1000)
elif KIND == 'mute':
    # Takes everything and answers for nothing. It asks for the port, so it gets connections.
    write(cluster(act='queryServer', seq=1, address='127.0.0.1', port=PORT, addressType=4, index=0))
    write(cluster(act='listening', seq=2, address='127.0.0.1', port=PORT, addressType=4, index=0))
    done()
    read_for_ever()
elif KIND == 'accepted':
    for start in range(0, 100_000, 1000):
        answer = lambda number: cluster(ack=number, accepted=number % 2 == 0, seq=number)
        write(b''.join(answer(number) for number in range(start, start + 1000)))
elif KIND == 'foreign':
    for number in range(2000):
        key = f'127.0.0.1:{PORT}:4:undefined'
        for text in (key, key + ':0', f'127.0.0.1:{PORT}:4:-1', f'127.0.0.1:{PORT}:4:null'):
            write(cluster(act='close', key=text, seq=number))
        write(cluster(act='listening', seq=number, address='127.0.0.1', port=PORT, addressType=4))
elif KIND in ('sockets', 'sockets-large', 'sockets-udp'):
    # Of the primary; what it answers is read, and never acknowledged.
    for number in range(100_000 if KIND == 'sockets' else 5000):
        if KIND == 'sockets-udp':
            key = f'127.0.0.1:0:udp4:undefined:{number}'
            data = cluster(act='queryServer', seq=number, address='127.0.0.1', port=0,
                           addressType='udp4', index=number)
            # Given back at once, so that it never has many.
            data += cluster(act='close', seq=number, key=key)
        else:
            more = {'data': 'x' * 100_000} if KIND == 'sockets-large' else {}
            data = cluster(act='queryServer', seq=number, address='127.0.0.1', port=0,
                           addressType=4, index=number, **more)
        if not write(data):
            break
        read_what_is_there()
elif KIND == 'deaf':
    channel.shutdown(socket.SHUT_RD)
elif KIND == 'orphan':
    if os.fork() == 0:
        count = 0
        while write(b'"still here"\n' * 1000):
            count += 1
        say('the orphan has ended')
        os._exit(0)
    done()
    # After the child has been heard.
    channel.recv(1)
    os._exit(3)
elif KIND == 'leaving':
    # Half of a message of 10 MB.
    write(b'"' + b'x' * (5 << 20))
    os._exit(4)
elif KIND == 'many-and-die':
    # More messages with sockets than a few reads take, unread at its death.
    pair = socket.socketpair()
    for number in range(200):
        write_with(envelope(number), [pair[0].fileno()])
    os._exit(5)
elif KIND in ('in-halves', 'in-halves-with-socket'):
    # A message of 10 MB; the second half when it is told something.
    text = b'x' * 10_000_000
    if ADVANCED:
        body = b'\xff\x0f"\x80\xad\xe2\x04' + text
        message = struct.pack('>I', len(body)) + body
    else:
        message = b'"' + text + b'"\n'
    half = len(message) // 2
    if KIND == 'in-halves':
        write(message[:half])
    else:
        message = envelope(text.decode())
        pair = socket.socketpair()
        write_with(message[:half], [pair[0].fileno()])
    done()
    channel.recv(1)
    write(message[half:])
    read_for_ever()
elif KIND == 'numbered':
    pair = socket.socketpair()
    for number in range(200):
        write_with(envelope(number), [pair[0].fileno()])
        read_what_is_there()
elif KIND == 'talkative':
    say('said before')
    channel.recv(1)
    say('said after')
else:
    raise SystemExit(f'what is {KIND}?')
done()
stay()
