%% The same work through Erlang's distribution. Doubles as the module that tells ports, so that no daemon has to run:
%% a receiver has its port in its name.
%%
%% erl -noshell -start_epmd false -epmd_module speed -s speed main -extra receive | send ADDRESS
-module(speed).
-export([main/0, counter/1]).
-export([start_link/0, register_node/2, register_node/3, port_please/2, port_please/3,
         listen_port_please/2, address_please/3, names/1]).

-define(COUNTERS, 8).

main() ->
    case init:get_plain_arguments() of
        ["receive"] -> receiver();
        ["send", Address] -> sender(Address)
    end.

%% What the distribution asks instead of epmd.

start_link() -> ignore.
register_node(_Name, _Port) -> {ok, 1}.
register_node(_Name, _Port, _Family) -> {ok, 1}.
port_please(Name, Host) -> port_please(Name, Host, infinity).
port_please(Name, _Host, _Timeout) ->
    case string:split(Name, "_") of
        ["receiver", Port] -> {port, list_to_integer(Port), 6};
        _ -> noport
    end.
listen_port_please(_Name, _Host) -> {ok, 0}.
address_please(_Name, Host, Family) -> inet:getaddr(Host, Family).
names(_Host) -> {error, address}.

%% The receiver.

receiver() ->
    {ok, Socket} = gen_tcp:listen(0, [{ip, {127, 0, 0, 1}}]),
    {ok, Port} = inet:port(Socket),
    ok = gen_tcp:close(Socket),
    application:set_env(kernel, inet_dist_listen_min, Port),
    application:set_env(kernel, inet_dist_listen_max, Port),
    start_node(receiver(Port)),
    [register(counter_name(N), spawn(?MODULE, counter, [0])) || N <- lists:seq(1, ?COUNTERS)],
    say("ready ~b", [Port]),
    wait().

wait() ->
    case io:get_line("") of
        Line when is_list(Line), Line =/= "quit\n" ->
            say("err there is nothing to spawn", []),
            wait();
        _ -> halt(0)
    end.

counter(Casts) ->
    receive
        {put, _Payload} -> counter(Casts + 1);
        {echo, Payload, From, Tag} -> From ! {Tag, Payload}, counter(Casts);
        {count, From, Tag} -> From ! {Tag, Casts}, counter(Casts)
    end.

%% The sender.

sender(Address) ->
    start_node(list_to_atom("sender_" ++ os:getpid() ++ "@127.0.0.1")),
    say("ready 0", []),
    [_, Port] = string:split(Address, ":"),
    commands(receiver(list_to_integer(Port))).

commands(Node) ->
    case io:get_line("") of
        Line when is_list(Line), Line =/= "quit\n" ->
            answer(Node, string:lexemes(Line, " \n")),
            commands(Node);
        _ -> halt(0)
    end.

answer(Node, ["connect", "0"]) ->
    Start = micros(),
    case net_kernel:connect_node(Node) of
        true ->
            Took = micros() - Start,
            say("ok ~b ~b", [Took, Took]);
        Other -> say("err not connected: ~p", [Other])
    end;
answer(Node, ["casts", _Handle | Words]) ->
    [Senders, Count, Len, Every] = [list_to_integer(Word) || Word <- Words],
    Share = Count div Senders,
    Targets = [{counter_name(N), Node} || N <- lists:seq(1, Senders)],
    Before = [ask(To, count) || To <- Targets],
    Start = micros(),
    Arrived = in_parallel([fun() -> cast(To, Share, Len, Every) end || To <- Targets]),
    Wall = micros() - Start,
    case lists:sum(Arrived) - lists:sum(Before) of
        All when All =:= Share * Senders -> say("ok ~b", [Wall]);
        Some -> say("err ~b of ~b casts arrived", [Some, Share * Senders])
    end;
answer(Node, ["calls", _Handle | Words]) ->
    [Callers, Count, Len] = [list_to_integer(Word) || Word <- Words],
    To = {counter_name(1), Node},
    Start = micros(),
    Calls = [fun() -> call(To, Count div Callers, Len) end || _ <- lists:seq(1, Callers)],
    Latencies = lists:sort(lists:append(in_parallel(Calls))),
    Wall = micros() - Start,
    Rank = fun(Percent) -> lists:nth((length(Latencies) * Percent + 99) div 100, Latencies) end,
    say("ok ~b ~b ~b", [Wall, Rank(50), Rank(99)]);
answer(_Node, _Words) ->
    say("err unknown command", []).

cast(To, Count, Len, Every) ->
    Payload = binary:copy(<<7>>, Len),
    cast_each(To, Payload, 1, Count, Every),
    ask(To, count).

cast_each(_To, _Payload, Number, Count, _Every) when Number > Count -> ok;
cast_each(To, Payload, Number, Count, Every) ->
    To ! {put, binary:copy(Payload)},
    case Every > 0 andalso Number rem Every =:= 0 of
        true -> ask(To, count);
        false -> ok
    end,
    cast_each(To, Payload, Number + 1, Count, Every).

call(To, Count, Len) ->
    Payload = binary:copy(<<7>>, Len),
    [call_once(To, Payload) || _ <- lists:seq(1, Count)].

call_once(To, Payload) ->
    Start = erlang:monotonic_time(nanosecond),
    Payload = ask(To, {echo, binary:copy(Payload)}),
    erlang:monotonic_time(nanosecond) - Start.

%% As gen_server:call does.
ask(To = {Name, Node}, Question) ->
    Tag = erlang:monitor(process, {Name, Node}),
    To ! request(Question, Tag),
    receive
        {Tag, Answer} -> erlang:demonitor(Tag, [flush]), Answer;
        {'DOWN', Tag, _, _, Reason} -> exit(Reason)
    end.

request(count, Tag) -> {count, self(), Tag};
request({echo, Payload}, Tag) -> {echo, Payload, self(), Tag}.

in_parallel(Works) ->
    Self = self(),
    Pids = [spawn_link(fun() -> Self ! {self(), Work()} end) || Work <- Works],
    [receive {Pid, Done} -> Done end || Pid <- Pids].

%% Both.

start_node(Name) ->
    {ok, _} = net_kernel:start([Name, longnames]),
    erlang:set_cookie('a-cookie-for-speed').

receiver(Port) -> list_to_atom("receiver_" ++ integer_to_list(Port) ++ "@127.0.0.1").

counter_name(N) -> list_to_atom("counter" ++ integer_to_list(N)).

micros() -> erlang:monotonic_time(microsecond).

say(Format, Words) -> io:format(Format ++ "~n", Words).
